import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { makePace } from "../../src/platform/Pace.ts"

const burn = (ms: number) => {
  const end = performance.now() + ms
  while (performance.now() < end);
}

/** Work of so many pieces of a millisecond each. */
const work = (pieces: number, between: Effect.Effect<void>) =>
  Effect.repeatN(
    Effect.zipRight(
      Effect.sync(() => burn(1)),
      between
    ),
    pieces - 1
  )

/** How often a server answered while the work was done. */
const answers = <A>(during: Effect.Effect<A>) =>
  Effect.gen(function* () {
    const server = yield* Effect.acquireRelease(
      Effect.sync(() => Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("ok") })),
      (one) => Effect.promise(() => one.stop(true))
    )
    let count = 0
    let isOver = false
    const asking = (async () => {
      while (!isOver) {
        await fetch(server.url).then((response) => response.text())
        if (!isOver) count += 1
      }
    })()
    yield* during
    isOver = true
    const answered = count
    yield* Effect.promise(() => asking)
    return answered
  })

it.scopedLive("long work in a pace lets requests be answered in its middle, which Effect's own yield does not", () =>
  Effect.gen(function* () {
    expect(yield* answers(work(300, makePace()))).toBeGreaterThan(5)
    expect(yield* answers(work(300, Effect.yieldNow()))).toBe(0)
  })
)

it.scopedLive("many at work together still let requests be answered", () =>
  Effect.gen(function* () {
    const many = Effect.forEach(Array.from({ length: 8 }), () => work(60, makePace()), { concurrency: "unbounded" })
    expect(yield* answers(many)).toBeGreaterThan(5)
  })
)
