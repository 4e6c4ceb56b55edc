import { Deferred, Duration, Effect, Layer } from "effect"
import { Settings } from "../platform/Settings.ts"

// A request is left when its answer is made; the server gets it in the same turn of the event loop.
const answersGiven = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

/** Knows how many requests are being answered, and whether the service is on its way out. */
export class Lifecycle extends Effect.Service<Lifecycle>()("http/Lifecycle", {
  effect: Effect.gen(function* () {
    const idle = yield* Deferred.make<void>()
    let active = 0
    let draining = false
    const enter = () => {
      active += 1
    }
    const leave = () => {
      active -= 1
      if (draining && active === 0) Deferred.unsafeDone(idle, Effect.void)
    }
    const drain = Effect.suspend(() => {
      draining = true
      return active === 0 ? Effect.void : Effect.zipRight(Deferred.await(idle), answersGiven)
    })
    return { enter, leave, drain, isDraining: () => draining, active: () => active } as const
  })
}) {}

/**
 * Placed above the server, so that it ends first: new requests are refused, and those that run get
 * until SHUTDOWN_TIMEOUT to end.
 */
export const drainOnShutdown = Layer.scopedDiscard(
  Effect.gen(function* () {
    const { server } = yield* Settings
    const lifecycle = yield* Lifecycle
    yield* Effect.addFinalizer(() =>
      lifecycle.drain.pipe(
        // A finalizer is not interruptible, and what is not cannot be timed out either.
        Effect.interruptible,
        Effect.timeoutFail({ duration: server.shutdown_timeout, onTimeout: () => "timeout" }),
        Effect.catchAll(() =>
          Effect.logWarning(
            `${lifecycle.active()} requests did not end within ${Duration.format(server.shutdown_timeout)} and are cut off`
          )
        )
      )
    )
  })
)
