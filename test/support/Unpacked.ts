import { Effect } from "effect"
import type { ArchiveLimits, OnEntry } from "../../src/session/Archive.ts"

export const roomy: ArchiveLimits = { max_bytes: 1024 ** 3, max_entries: 1000 }

/** Collects what an archive unpacks to; a file is there once it has ended. */
export const collector = () => {
  const files: Record<string, string> = {}
  const hints: Record<string, number | undefined> = {}
  const onEntry: OnEntry<never, never> = (path, size_hint) =>
    Effect.sync(() => {
      const chunks: Array<Buffer> = []
      hints[path] = size_hint
      return {
        // The copy shows that no chunk is changed after it was given.
        write: (chunk) => Effect.sync(() => void chunks.push(Buffer.from(chunk))),
        end: Effect.sync(() => {
          files[path] = Buffer.concat(chunks).toString("latin1")
        })
      }
    })
  return { files, hints, onEntry }
}

/** Counts the bytes that an archive unpacks to and forgets them. */
export const counter = () => {
  const seen = { bytes: 0, most: 0 }
  const onEntry: OnEntry<never, never> = () =>
    Effect.succeed({
      write: (chunk) =>
        Effect.sync(() => {
          seen.bytes += chunk.length
          seen.most = Math.max(seen.most, chunk.length)
        }),
      end: Effect.void
    })
  return { seen, onEntry }
}
