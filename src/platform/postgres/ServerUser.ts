import { chown, lchown, readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { Effect } from "effect"
import { attempt } from "./BundledPostgresError.ts"

/** The user that PostgreSQL runs as where it is not ours: the server refuses to run as root. */
export interface ServerUser {
  readonly uid: number
  readonly gid: number
}

const nobody: ServerUser = { uid: 65534, gid: 65534 }

/**
 * Who runs the server on the database in `folder`: undefined for ourselves, and as root the owner
 * of the files (an ordinary user may have made them), or `nobody` for new ones.
 */
export const serverUser = Effect.fn("ServerUser.of")(function* (folder: string) {
  if (process.getuid?.() !== 0) return undefined
  const owner = yield* Effect.promise(() => stat(folder).catch(() => undefined))
  return owner === undefined || owner.uid === 0 ? nobody : { uid: owner.uid, gid: owner.gid }
})

/** Gives the folder to the server's user, with all in it where root owns it (a restored copy does that). */
export const giveTo = (user: ServerUser | undefined, folder: string) =>
  attempt("own its data folder", async () => {
    if (user === undefined || (await stat(folder)).uid === user.uid) return
    for (const entry of await readdir(folder, { recursive: true }))
      await lchown(join(folder, entry), user.uid, user.gid)
    await chown(folder, user.uid, user.gid)
  })
