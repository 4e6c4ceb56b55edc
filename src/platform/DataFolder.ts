import { Database, SQLiteError } from "bun:sqlite"
import { constants, readFileSync } from "node:fs"
import { access, mkdir, rm, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { Effect, Schema } from "effect"

/** Another process works in this data folder. */
export class DataFolderInUse extends Schema.TaggedError<DataFolderInUse>("platform/DataFolderInUse")(
  "DataFolderInUse",
  { folder: Schema.String, pid: Schema.optional(Schema.String) }
) {
  override get message() {
    const holder = this.pid === undefined ? "another process" : `process ${this.pid}`
    return `the data folder ${this.folder} is in use by ${holder}: stop it, or set DATA_DIR and PORT to run a second Tracepipe`
  }
}

/** The data folder cannot be made, or this user may not write in it. */
export class DataFolderUnwritable extends Schema.TaggedError<DataFolderUnwritable>("platform/DataFolderUnwritable")(
  "DataFolderUnwritable",
  { folder: Schema.String, detail: Schema.String }
) {
  override get message() {
    return `the data folder ${this.folder} cannot be written (${this.detail}): give this user the right to, or set DATA_DIR to another folder`
  }
}

const unwritable = (folder: string) => (cause: unknown) => new DataFolderUnwritable({ folder, detail: String(cause) })

const openLocked = (folder: string) => {
  const file = new Database(join(folder, "lock"))
  try {
    file.run("PRAGMA busy_timeout = 0")
    file.run("PRAGMA locking_mode = EXCLUSIVE")
    file.run("BEGIN EXCLUSIVE")
    return file
  } catch (cause) {
    file.close()
    throw cause
  }
}

// Beside the lock and not in it: a POSIX lock is lost when its process closes any descriptor of the
// locked file, so nobody may ever open `lock` to read it.
const pidFile = (folder: string) => join(folder, "pid")

const holder = (folder: string) => {
  try {
    return readFileSync(pidFile(folder), "utf8").trim() || undefined
  } catch {
    // It has the lock and has not written its pid yet.
    return undefined
  }
}

/**
 * Takes the data folder for this process until the scope closes; makes it (mode 0700) when missing.
 * The lock is the kernel's and dies with the process, by kill -9 too.
 */
export const lockDataFolder = Effect.fn("DataFolder.lock")(function* (data_dir: string) {
  const folder = resolve(data_dir)
  yield* Effect.tryPromise({
    try: async () => {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await access(folder, constants.R_OK | constants.W_OK | constants.X_OK)
    },
    catch: unwritable(folder)
  })
  yield* Effect.acquireRelease(
    Effect.try({
      try: () => openLocked(folder),
      catch: (cause) =>
        cause instanceof SQLiteError && cause.code === "SQLITE_BUSY"
          ? new DataFolderInUse({ folder, pid: holder(folder) })
          : unwritable(folder)(cause)
    }),
    (file) => Effect.sync(() => file.close())
  )
  yield* Effect.acquireRelease(
    Effect.tryPromise({ try: () => writeFile(pidFile(folder), `${process.pid}\n`), catch: unwritable(folder) }),
    () => Effect.promise(() => rm(pidFile(folder), { force: true }))
  )
})
