import { Effect } from "effect"

const LIMIT_MS = 20_000
const PAUSE_MS = 20

/** Looks again and again until what is found holds; at the limit answers what was found last, for the test to judge. */
export const eventually = <A, E, R>(
  look: Effect.Effect<A, E, R>,
  holds: (found: A) => boolean,
  limit_ms = LIMIT_MS
): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const end = performance.now() + limit_ms
    for (;;) {
      const found = yield* look
      if (holds(found) || performance.now() > end) return found
      yield* Effect.promise(() => Bun.sleep(PAUSE_MS))
    }
  })
