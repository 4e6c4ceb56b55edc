import { Context, Effect, FiberId, FiberRef, FiberRefs, Runtime } from "effect"

/**
 * The current runtime (its loggers, its flags) for effects that need nothing from their context. A runtime
 * keeps every service that was in reach when it was made, and each value that an effect adds copies them
 * all: for small requests that is more than what they do. Spans go nowhere here, so none are made.
 */
export const bareRuntime: Effect.Effect<Runtime.Runtime<never>> = Effect.map(
  Effect.runtime<never>(),
  ({ fiberRefs, runtimeFlags }) =>
    Runtime.make({
      context: Context.empty(),
      fiberRefs: FiberRefs.updateAs(fiberRefs, {
        fiberId: FiberId.none,
        fiberRef: FiberRef.currentTracerEnabled,
        value: false
      }),
      runtimeFlags
    })
)
