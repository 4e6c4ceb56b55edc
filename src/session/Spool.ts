import { randomUUID } from "node:crypto"
import { mkdir, open, readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Stream } from "effect"
import { ObjectStoreFull, ObjectStoreUnavailable } from "../platform/ObjectStore.ts"

const folderOf = (data_dir: string) => join(data_dir, "spool")

const failure = (cause: unknown) =>
  cause instanceof Error && "code" in cause && (cause.code === "ENOSPC" || cause.code === "EDQUOT")
    ? new ObjectStoreFull({ operation: "spool an archive", cause })
    : new ObjectStoreUnavailable({ operation: "spool an archive", cause })

const attempt = <A>(work: () => Promise<A>) => Effect.tryPromise({ try: work, catch: failure })

/** Of this process only: in a container every start has the same process id. */
const life = randomUUID().slice(0, 8)

/**
 * A file of this process for an archive that has to be whole before it can be read; gone when the
 * scope closes. Its name begins with the process id, so that a later start can tell what was left.
 */
export const spoolFile = (data_dir: string) =>
  Effect.gen(function* () {
    const path = join(folderOf(data_dir), `${process.pid}-${life}-${randomUUID()}`)
    yield* attempt(() => mkdir(folderOf(data_dir), { recursive: true, mode: 0o700 }))
    const file = yield* Effect.acquireRelease(
      attempt(() => open(path, "wx", 0o600)),
      (handle) => Effect.promise(() => handle.close().then(() => rm(path, { force: true })))
    )
    const write = (chunk: Uint8Array) => attempt(() => file.writeFile(chunk))
    return { path, write } as const
  })

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: there is such a process, of another user.
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

const isStale = (name: string): boolean => {
  const [pid, of] = name.split("-")
  return Number(pid) === process.pid ? of !== life : !isAlive(Number(pid))
}

/** Removes the spooled files of processes that are no more. */
export const clearSpool = (data_dir: string) =>
  Effect.promise(async () => {
    const names = await readdir(folderOf(data_dir)).catch((): ReadonlyArray<string> => [])
    const stale = names.filter(isStale)
    await Promise.all(stale.map((name) => rm(join(folderOf(data_dir), name), { force: true })))
  })

/** The bytes of a spooled file. */
export const readSpooled = (path: string): Stream.Stream<Uint8Array, ObjectStoreUnavailable> =>
  Stream.fromReadableStream(
    () => Bun.file(path).stream(),
    (cause) => new ObjectStoreUnavailable({ operation: "read a spooled archive", cause })
  )
