import { close, fsync, open, write } from "node:fs"
import { promisify } from "node:util"
import { Effect } from "effect"
import { type ObjectStoreError, ObjectStoreFull, ObjectStoreUnavailable } from "../ObjectStore.ts"

// Descriptors and not FileHandles: those cost a second trip through the thread pool to close, which
// counts when thousands of small objects come in.
export const openFile: (path: string, flags: string, mode: number) => Promise<number> = promisify(open)
export const syncFile = promisify(fsync)
export const closeFile = promisify(close)

/** Writes all of the bytes at the descriptor's position. */
export const writeFully = async (fd: number, bytes: Uint8Array): Promise<void> => {
  let written = 0
  while (written < bytes.length) {
    written += await new Promise<number>((resolve, reject) =>
      write(fd, bytes, written, bytes.length - written, null, (error, count) =>
        error ? reject(error) : resolve(count)
      )
    )
  }
}

const codeOf = (cause: unknown): unknown =>
  typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined

/** Whether what was thrown by a file operation has one of these codes. */
export const hasCode = (cause: unknown, ...codes: ReadonlyArray<string>): boolean =>
  codes.some((code) => codeOf(cause) === code)

const failure =
  (operation: string) =>
  (cause: unknown): ObjectStoreError =>
    hasCode(cause, "ENOSPC", "EDQUOT")
      ? new ObjectStoreFull({ operation, cause })
      : new ObjectStoreUnavailable({ operation, cause })

/** A file operation that may be left alone when its fiber is interrupted. */
export const abandonable = <A>(operation: string, run: () => Promise<A>): Effect.Effect<A, ObjectStoreError> =>
  Effect.tryPromise({ try: run, catch: failure(operation) })

/**
 * A file operation. Not interruptible: what was handed to the kernel is waited for, so that no
 * descriptor or buffer is given away under an operation that still uses it.
 */
export const disk = <A>(operation: string, run: () => Promise<A>): Effect.Effect<A, ObjectStoreError> =>
  Effect.uninterruptible(abandonable(operation, run))

/** Undefined for what is missing or has vanished meanwhile. */
export const ifPresent = <A>(result: Promise<A>): Promise<A | undefined> =>
  result.catch((cause) => {
    if (hasCode(cause, "ENOENT", "ENOTDIR")) return undefined
    throw cause
  })
