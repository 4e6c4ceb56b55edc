import { Effect } from "effect"

const KIB = 1024
const MIB = 1024 * KIB

/** What one permit stands for, and the size of the buffers that are used again. */
const PART_BUFFER = 8 * MIB
/** An object is held in a small buffer until it outgrows this. */
export const SMALL_LIMIT = MIB
/** A small buffer for an object of unknown size begins with this. */
export const FIRST_SMALL = 64 * KIB
/** The most small objects held at once by all uploads. */
const SMALL_BUFFERS = 64

const MIN_PART = 8 * MIB
export const MAX_PARTS = 10_000

/**
 * The size of all parts but the last: some stores want them equal, S3 wants at most 10,000 of at
 * least 5 MiB.
 * @param size_bytes the object's length, or the most that it can be
 */
export const partSize = (size_bytes: number): number =>
  Math.max(MIN_PART, Math.ceil(size_bytes / MAX_PARTS / MIB) * MIB)

/** A buffer that its owner gives back once. A small one may be replaced by a larger one. */
export interface Held {
  bytes: Uint8Array<ArrayBuffer>
  readonly small: boolean
  readonly release: Effect.Effect<void>
}

/** The memory of all uploads, within bounds: who gets none waits. */
export interface Buffers {
  /** @param spare permits to take instead of the common ones */
  readonly part: (size: number, spare?: Effect.Semaphore) => Effect.Effect<Held>
  readonly small: (size: number, spare?: Effect.Semaphore) => Effect.Effect<Held>
}

export const makeBuffers = (part_buffers: number): Buffers => {
  const parts = Effect.unsafeMakeSemaphore(part_buffers)
  const smalls = Effect.unsafeMakeSemaphore(SMALL_BUFFERS)
  const free: Array<Uint8Array<ArrayBuffer>> = []

  const giveBack = (bytes: Uint8Array<ArrayBuffer>) => {
    if (bytes.length === PART_BUFFER && free.length < part_buffers) free.push(bytes)
  }
  return {
    part: (size, spare) => {
      // Parts above 8 MiB (objects above 78 GiB) weigh as much as they take.
      const weight = spare === undefined ? Math.min(part_buffers, Math.ceil(size / PART_BUFFER)) : 1
      const permits = spare ?? parts
      return Effect.map(permits.take(weight), () => {
        const bytes = size > PART_BUFFER ? new Uint8Array(size) : (free.pop() ?? new Uint8Array(PART_BUFFER))
        const release = Effect.suspend(() => {
          giveBack(bytes)
          return permits.release(weight)
        })
        return { bytes, small: false, release }
      })
    },
    small: (size, spare) => {
      const permits = spare ?? smalls
      return Effect.map(permits.take(1), () => ({
        bytes: new Uint8Array(size),
        small: true,
        release: permits.release(1)
      }))
    }
  }
}
