import { Effect } from "effect"
import type { ObjectWriter } from "../ObjectStore.ts"
import { disk, writeFully } from "./Disk.ts"

const KIB = 1024
/** Chunks of at least this size go to the kernel as they are; smaller ones are collected. */
const DIRECT = 64 * KIB
const MAX_BUFFER = 256 * KIB

/**
 * Writes to an open file, small chunks collected; `end` leaves all bytes with the kernel, not yet on the disk.
 * @param written is told how many bytes the kernel was given
 */
export const fileWriter = (
  fd: number,
  size_hint: number | undefined,
  written: (bytes: number) => void
): ObjectWriter => {
  let buffer = new Uint8Array(0)
  let used = 0
  // The first buffer is small, for there may be no more; what follows gets a large one.
  let capacity = Math.min(size_hint ?? DIRECT, MAX_BUFFER)

  const give = async (bytes: Uint8Array) => {
    await writeFully(fd, bytes)
    written(bytes.length)
  }

  const flush = async () => {
    if (used > 0) await give(buffer.subarray(0, used))
    used = 0
    if (buffer.length < MAX_BUFFER) buffer = new Uint8Array(0)
    capacity = MAX_BUFFER
  }

  const collect = (chunk: Uint8Array) => {
    if (chunk.length > buffer.length) buffer = Buffer.allocUnsafeSlow(Math.max(chunk.length, capacity))
    buffer.set(chunk, used)
    used += chunk.length
  }

  const write = (chunk: Uint8Array) =>
    Effect.suspend(() => {
      const small = chunk.length < DIRECT
      if (small && (used === 0 || used + chunk.length <= buffer.length)) return Effect.sync(() => collect(chunk))
      return disk("write an object", async () => {
        await flush()
        if (small) collect(chunk)
        else await give(chunk)
      })
    })

  return { write, end: Effect.suspend(() => (used === 0 ? Effect.void : disk("write an object", flush))) }
}
