/** A signing key as it is kept. */
export interface StoredKey {
  /** 32 bytes, base64url. */
  readonly seed: string
  /** Milliseconds since the epoch. */
  readonly created_at: number
}

const MINUTE = 60_000

/** How long one key signs. */
export const SIGNING_KEY_AGE = 30 * 24 * 60 * MINUTE

/** How long a new key is published before it signs, so that everybody who verifies has it by then. */
export const PUBLISHED_FOR = 10 * MINUTE

/**
 * The keys as they should be now, or undefined when they are: a first key where there is none; a
 * second one when the newest has signed for {@link SIGNING_KEY_AGE}. Never more than two: the one
 * that goes has not signed for a whole such time, and tokens live for minutes.
 */
export const rotated = (
  keys: ReadonlyArray<StoredKey>,
  now: number,
  seed: () => string
): ReadonlyArray<StoredKey> | undefined => {
  const newest = keys.at(-1)
  if (newest !== undefined && now - newest.created_at < SIGNING_KEY_AGE) return undefined
  return [...keys.slice(-1), { seed: seed(), created_at: now }]
}

/** Where the key that signs now stands among them, oldest first. */
export const signingIndex = (keys: ReadonlyArray<StoredKey>, now: number): number => {
  const newest = keys.at(-1)
  const isReady = keys.length < 2 || (newest !== undefined && now - newest.created_at >= PUBLISHED_FOR)
  return isReady ? keys.length - 1 : keys.length - 2
}
