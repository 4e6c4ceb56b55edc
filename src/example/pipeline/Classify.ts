import { Effect } from "effect"
import type { ActionSurface, Classification } from "../../domain/example/Classification.ts"
import type { Episode } from "../../domain/example/Episode.ts"

/** Recognises actions in episodes as they come, in bounded memory. It answers only actions and parameters that it was given. */
export interface Recognition<E = never> {
  /** What is certain once this episode is known. */
  readonly push: (episode: Episode) => Effect.Effect<ReadonlyArray<Classification>, E>
  /** What was still open; asked for once, after the last episode. */
  readonly end: Effect.Effect<ReadonlyArray<Classification>, E>
  /** What the person wanted, as the classifier understands it after the end; null: it does not say. */
  readonly intent: () => string | null
}

/** One way to recognise actions. `name` is the model's: `BUILTIN/lexical`. */
export interface Classifier<E = never> {
  readonly name: string
  readonly start: (actions: ReadonlyArray<ActionSurface>) => Recognition<E>
}

/** Everything that a classifier recognises in a list of episodes. */
export const classify = <E>(
  classifier: Classifier<E>,
  actions: ReadonlyArray<ActionSurface>,
  episodes: Iterable<Episode>
): Effect.Effect<ReadonlyArray<Classification>, E> =>
  Effect.suspend(() => {
    const running = classifier.start(actions)
    return Effect.zipWith(Effect.forEach(episodes, running.push), running.end, (found, last) => [
      ...found.flat(),
      ...last
    ])
  })
