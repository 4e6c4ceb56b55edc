import { Effect } from "effect"

/** How long one piece of work may keep the event loop, in milliseconds. */
const SLICE_MS = 4

const waiting: Array<() => void> = []

// One piece in each turn, however many wait: what came from sockets is looked at in between.
const next = () => {
  waiting.shift()?.()
  if (waiting.length > 0) setImmediate(next)
}

const turn = Effect.async<void>((resume) => {
  waiting.push(() => resume(Effect.void))
  if (waiting.length === 1) setImmediate(next)
})

/**
 * For long work: an effect to run between its pieces. Once a slice of time is used up it gives way to
 * everything else that the process does; Effect's own yield gives way to other fibers only, not to
 * sockets.
 */
export const makePace = (): Effect.Effect<void> => {
  let since = performance.now()
  const again = Effect.map(turn, () => {
    since = performance.now()
  })
  return Effect.suspend(() => (performance.now() - since < SLICE_MS ? Effect.void : again))
}
