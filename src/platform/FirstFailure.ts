import { Effect } from "effect"
import { type ObjectStoreError, ObjectStoreUnavailable } from "./ObjectStore.ts"

/** The first failure of a batch, which every later operation of the batch meets again. */
export class FirstFailure {
  #error: ObjectStoreError | undefined
  #closed = false

  record(error: ObjectStoreError): void {
    this.#error ??= error
  }

  /** After it nothing can be begun. */
  readonly close: Effect.Effect<void> = Effect.sync(() => {
    this.#closed = true
  })

  /** Made when it is met: every batch is closed, and hardly any is used after that. */
  get #met(): ObjectStoreError | undefined {
    if (this.#error !== undefined || !this.#closed) return this.#error
    return new ObjectStoreUnavailable({ operation: "use a batch", cause: new Error("the batch is closed") })
  }

  /** Fails when something has failed already. */
  readonly check: Effect.Effect<void, ObjectStoreError> = Effect.suspend(
    (): Effect.Effect<void, ObjectStoreError> => this.#met ?? Effect.void
  )

  /** Runs the effect unless something has failed already, and remembers its failure. */
  readonly guard = <A, R>(effect: Effect.Effect<A, ObjectStoreError, R>): Effect.Effect<A, ObjectStoreError, R> =>
    Effect.suspend(
      (): Effect.Effect<A, ObjectStoreError, R> =>
        this.#met ?? Effect.tapError(effect, (error) => Effect.sync(() => this.record(error)))
    )
}
