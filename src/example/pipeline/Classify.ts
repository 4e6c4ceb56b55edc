import type { ActionSurface, Classification } from "../../domain/example/Classification.ts"
import type { Episode } from "../../domain/example/Episode.ts"

/**
 * Recognises actions in episodes as they come, in bounded memory. It answers only actions and
 * parameters that it was given, and the same for the same episodes.
 */
export interface Recognition {
  /** What is certain once this episode is known. */
  readonly push: (episode: Episode) => ReadonlyArray<Classification>
  /** What was still open; called once, after the last episode. */
  readonly end: () => ReadonlyArray<Classification>
}

/** One way to recognise actions. `name` is the model's: `BUILTIN/lexical`. */
export interface Classifier {
  readonly name: string
  readonly start: (actions: ReadonlyArray<ActionSurface>) => Recognition
}

/** Everything that a classifier recognises in a list of episodes. */
export const classify = (
  classifier: Classifier,
  actions: ReadonlyArray<ActionSurface>,
  episodes: Iterable<Episode>
): ReadonlyArray<Classification> => {
  const running = classifier.start(actions)
  const found: Array<Classification> = []
  for (const episode of episodes) found.push(...running.push(episode))
  return [...found, ...running.end()]
}
