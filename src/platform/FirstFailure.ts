import { Effect } from "effect"
import { type ObjectStoreError, ObjectStoreUnavailable } from "./ObjectStore.ts"

/** The first failure of a batch, which every later operation of the batch meets again. */
export class FirstFailure {
  #error: ObjectStoreError | undefined

  record(error: ObjectStoreError): void {
    this.#error ??= error
  }

  /** After it nothing can be begun. */
  readonly close: Effect.Effect<void> = Effect.sync(() =>
    this.record(new ObjectStoreUnavailable({ operation: "use a batch", cause: new Error("the batch is closed") }))
  )

  /** Fails when something has failed already. */
  readonly check: Effect.Effect<void, ObjectStoreError> = Effect.suspend(
    (): Effect.Effect<void, ObjectStoreError> => this.#error ?? Effect.void
  )

  /** Runs the effect unless something has failed already, and remembers its failure. */
  readonly guard = <A, R>(effect: Effect.Effect<A, ObjectStoreError, R>): Effect.Effect<A, ObjectStoreError, R> =>
    Effect.suspend(
      (): Effect.Effect<A, ObjectStoreError, R> =>
        this.#error ?? Effect.tapError(effect, (error) => Effect.sync(() => this.record(error)))
    )
}
