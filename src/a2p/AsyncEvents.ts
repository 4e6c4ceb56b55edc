import { type Runtime, Stream } from "effect"

/**
 * A stream as a generator, for who reads it without effects. `return` and the signal end it at once, also
 * while it waits for its next value: its scope is closed then.
 */
export const generator = <A, E>(
  stream: Stream.Stream<A, E>,
  runtime: Runtime.Runtime<never>,
  signal?: AbortSignal
): AsyncGenerator<A, void, undefined> => {
  const values = Stream.toAsyncIterableRuntime(stream, runtime)[Symbol.asyncIterator]()
  const over: IteratorResult<A, void> = { done: true, value: undefined }
  const closed = Promise.withResolvers<IteratorResult<A, void>>()
  let ended = false

  const finish = () => {
    ended = true
    signal?.removeEventListener("abort", end)
    closed.resolve(over)
  }
  const end = async () => {
    if (ended) return
    finish()
    await values.return?.()
  }
  signal?.addEventListener("abort", end)
  if (signal?.aborted === true) finish()

  return {
    async next() {
      if (ended) return over
      try {
        const result = await Promise.race([values.next(), closed.promise])
        if (result.done === true) finish()
        return result
      } catch (failure) {
        finish()
        throw failure
      }
    },
    async return() {
      await end()
      return over
    },
    async throw(failure) {
      await end()
      throw failure
    },
    [Symbol.asyncIterator]() {
      return this
    },
    [Symbol.asyncDispose]: end
  }
}
