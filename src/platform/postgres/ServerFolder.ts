import { closeSync, existsSync, openSync } from "node:fs"
import { chown, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { Effect, Redacted } from "effect"
import { attempt } from "./BundledPostgresError.ts"
import { syncFolder } from "./ServerCredentials.ts"
import { run, type ServerProgram } from "./ServerProgram.ts"
import { giveTo } from "./ServerUser.ts"

/** Whether the database has been made. */
export const exists = (folder: string) => Effect.sync(() => existsSync(folder))

// initdb wants a name for its user, which the made-up uid of a container lacks: it runs in a
// namespace where that uid is `nobody`. The server itself needs no name.
const AS_NOBODY = ["unshare", "--user", "--map-user=65534", "--map-group=65534"]

const isNameless = (host: ServerProgram) =>
  Effect.sync(() => host.user === undefined && Bun.which("unshare") !== null && !Bun.spawnSync(["id", "-un"]).success)

const initdb = Effect.fnUntraced(function* (host: ServerProgram, folder: string, password_file: string, ctype: string) {
  const input = yield* Effect.acquireRelease(
    Effect.sync(() => openSync(password_file, "r")),
    (descriptor) => Effect.sync(() => closeSync(descriptor))
  )
  const nameless = yield* isNameless(host)
  const program = yield* run(host, "initdb", {
    folder,
    input,
    within: nameless ? AS_NOBODY : [],
    arguments: [
      "--username=postgres",
      // Through a descriptor: the server's user may not be able to reach the file by its path.
      "--pwfile=/dev/stdin",
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--data-checksums",
      // Sorted and cased by PostgreSQL itself: an update of the system's libraries cannot spoil an index.
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
      "--locale=C",
      `--lc-ctype=${ctype}`
    ]
  })
  const operation = nameless ? "make its data folder for a user without a name in /etc/passwd" : "make its data folder"
  if ((yield* program.exited) !== 0) return yield* program.complaint(operation)
}, Effect.scoped)

// pg_trgm asks the C library what a letter is, and in "C" an é is none.
const UNICODE_CTYPE = process.platform === "darwin" ? "UTF-8" : "C.UTF-8"

/**
 * Makes the database with its superuser's password. It gets its name when it is complete and on
 * disk: what a crash leaves before that is removed by the next start.
 */
export const make = Effect.fn("ServerFolder.make")(function* (
  host: ServerProgram,
  folder: string,
  superuser_password: Redacted.Redacted
) {
  const parent = dirname(folder)
  const unfinished = "data.new-"
  yield* attempt("remove an unfinished data folder", async () => {
    for (const name of await readdir(parent))
      if (name.startsWith(unfinished)) await rm(join(parent, name), { recursive: true, force: true })
  })
  const fresh = yield* attempt("make its data folder", () => mkdtemp(join(parent, unfinished)))
  const password_file = `${fresh}.password`
  yield* attempt("write its first password", async () => {
    await writeFile(password_file, Redacted.value(superuser_password), { mode: 0o600 })
    if (host.user !== undefined) await chown(password_file, host.user.uid, host.user.gid)
  })
  yield* giveTo(host.user, fresh)
  yield* initdb(host, fresh, password_file, UNICODE_CTYPE).pipe(
    Effect.orElse(() => initdb(host, fresh, password_file, "C"))
  )
  yield* attempt("name its data folder", async () => {
    await rm(password_file)
    await rename(fresh, folder)
    await syncFolder(parent)
  })
})
