import { constants, existsSync } from "node:fs"
import { access, statfs } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { Effect } from "effect"
import { lockDataFolder } from "../../platform/DataFolder.ts"
import { size } from "../upload/Progress.ts"
import { type Finding, fail, ok, warn } from "./Finding.ts"

export interface DataFolderState {
  readonly findings: ReadonlyArray<Finding>
  /** A service works in it: what only one process may open is not to be touched. */
  readonly in_use: boolean
}

/** Below this much free space uploads are likely to fail soon. */
const LOW_SPACE = 1024 ** 3

const nearestExisting = (folder: string): string => (existsSync(folder) ? folder : nearestExisting(dirname(folder)))

const space = (folder: string) =>
  Effect.tryPromise(() => statfs(folder)).pipe(
    Effect.map(({ bavail, bsize }) => {
      const free = bavail * bsize
      return free < LOW_SPACE
        ? warn(`disk space: ${size(free)} free`, "make room, or set DATA_DIR to another disk")
        : ok(`disk space: ${size(free)} free`)
    }),
    Effect.catchAll(({ error }) => Effect.succeed(warn("disk space: unknown", String(error))))
  )

const missing = (folder: string) =>
  Effect.tryPromise(() => access(nearestExisting(folder), constants.W_OK | constants.X_OK)).pipe(
    Effect.as(ok(`data folder: ${folder} will be made by the first start`)),
    Effect.catchAll(() =>
      Effect.succeed(
        fail(`data folder: ${folder} cannot be made`, "give this user the right to, or set DATA_DIR to another folder")
      )
    )
  )

/** Looks at the data folder; makes nothing. */
export const checkDataFolder = (data_dir: string): Effect.Effect<DataFolderState> =>
  Effect.gen(function* () {
    const folder = resolve(data_dir)
    const free = yield* space(nearestExisting(folder))
    if (!existsSync(folder)) return { findings: [yield* missing(folder), free], in_use: false }
    return yield* Effect.scoped(lockDataFolder(folder)).pipe(
      Effect.as({ findings: [ok(`data folder: ${folder} is writable`), free], in_use: false }),
      Effect.catchTags({
        DataFolderInUse: ({ pid }) =>
          Effect.succeed({
            findings: [ok(`data folder: ${folder} is in use by a running service (process ${pid ?? "unknown"})`), free],
            in_use: true
          }),
        DataFolderUnwritable: ({ detail }) =>
          Effect.succeed({
            findings: [
              fail(
                `data folder: ${folder} cannot be written (${detail})`,
                "give this user the right to, or set DATA_DIR to another folder"
              ),
              free
            ],
            in_use: false
          })
      })
    )
  })
