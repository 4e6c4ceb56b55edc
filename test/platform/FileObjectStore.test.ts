import { existsSync } from "node:fs"
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { Effect, Exit, Stream } from "effect"
import { afterAll, describe } from "vitest"
import * as FileObjectStore from "../../src/platform/FileObjectStore.ts"
import { ObjectStore, ObjectStoreFull } from "../../src/platform/ObjectStore.ts"
import { bytesOf, freshPrefix, leftovers, put, readAll, store } from "./ObjectStore.contract.ts"

const MIB = 1024 * 1024
const nothing = { listed: [], pending: [] }

const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "tracepipe-files-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true }))
)

/** Runs a test over a store in a folder of its own, which it gets. */
const inFolder = <A, E>(test: (root: string) => Effect.Effect<A, E, ObjectStore>) =>
  Effect.flatMap(temporaryFolder, (root) => Effect.provide(test(root), FileObjectStore.layer(root)))

describe("FileObjectStore", () => {
  it.scopedLive("keeps nothing besides its objects", () =>
    inFolder((root) =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const prefix = freshPrefix("o")
        yield* store(prefix, { a: bytesOf(1), "b/c": bytesOf(2) })
        yield* objects.health
        expect((yield* Effect.promise(() => readdir(root))).toSorted()).toEqual([".tmp", "orgs"])
        expect(yield* Effect.promise(() => readdir(join(root, ".tmp")))).toEqual([])
        const descriptors = yield* Effect.promise(() => readdir("/proc/self/fd"))
        for (let turn = 0; turn < 50; turn++) {
          yield* Stream.runDrain(Stream.take(yield* objects.read(`${prefix}a`), 1))
          yield* Effect.scoped(
            Effect.flatMap(objects.batch(freshPrefix()), (batch) => batch.writer("x", { content_type: "a/b" }))
          )
        }
        const after = yield* Effect.promise(() => readdir("/proc/self/fd"))
        expect(after.length).toBeLessThanOrEqual(descriptors.length + 5)
      })
    )
  )

  it.scopedLive("removes the folders that a removed prefix leaves empty, two at most", () =>
    inFolder((root) =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        yield* store("orgs/o/sessions/1/", { a: bytesOf(1) })
        yield* store("orgs/o/sessions/2/", { a: bytesOf(1) })
        yield* objects.removePrefix("orgs/o/sessions/1/")
        expect(existsSync(join(root, "orgs/o/sessions"))).toBe(true)
        yield* objects.removePrefix("orgs/o/sessions/2/")
        expect(existsSync(join(root, "orgs/o"))).toBe(false)
        expect(existsSync(join(root, "orgs"))).toBe(true)
        yield* store("orgs/o/sessions/3/", { a: bytesOf(1) })
        expect(yield* readAll("orgs/o/sessions/3/a")).toEqual(bytesOf(1))
      })
    )
  )

  it.scopedLive("commits while the folders around are removed", () =>
    inFolder(() =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const turns = Array.from({ length: 200 }, (_, index) => `orgs/o${index % 3}/sessions/${index}/`)
        yield* Effect.forEach(
          turns,
          (prefix) =>
            Effect.gen(function* () {
              yield* store(prefix, { a: bytesOf(1) })
              yield* readAll(`${prefix}a`)
              yield* objects.removePrefix(prefix)
            }),
          { concurrency: 16 }
        )
        expect(yield* leftovers("")).toEqual(nothing)
      })
    )
  )

  it.scopedLive("never leaves its root", () =>
    inFolder((root) =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const batch = yield* objects.batch("orgs/o/sessions/1/")
        for (const path of ["../../../../out", "/etc/x", "a/../../x", "./a", "a//b", ""]) {
          const exit = yield* Effect.exit(batch.writer(path, { content_type: "a/b" }))
          expect(Exit.isFailure(exit) && exit.cause._tag).toBe("Die")
        }
        for (const prefix of ["../x/", "", ".tmp/", "/"]) {
          const exit = yield* Effect.exit(objects.removePrefix(prefix))
          expect(Exit.isFailure(exit) && exit.cause._tag).toBe("Die")
        }
        expect(Exit.isFailure(yield* Effect.exit(objects.head(".tmp/x")))).toBe(true)
        expect(existsSync(join(root, ".tmp"))).toBe(true)
      }).pipe(Effect.scoped)
    )
  )

  it.scopedLive("shows nothing of a batch whose process was killed, and can remove it", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const prefix = freshPrefix("o")
      const child = Bun.spawn(
        [process.execPath, join(import.meta.dirname, "FileObjectStore.fixture.ts"), root, prefix],
        {
          stdout: "pipe"
        }
      )
      const { value } = yield* Effect.promise(() => child.stdout.getReader().read())
      expect(new TextDecoder().decode(value).trim()).toBe("written")
      child.kill("SIGKILL")
      yield* Effect.promise(() => child.exited)
      yield* Effect.gen(function* () {
        const objects = yield* ObjectStore
        expect(yield* leftovers("")).toEqual({ listed: [], pending: [prefix] })
        expect([...(yield* Stream.runCollect(objects.folders("orgs/o/sessions/")))]).toEqual([])
        yield* objects.removePrefix(prefix)
        expect(yield* leftovers("")).toEqual(nothing)
      }).pipe(Effect.provide(FileObjectStore.layer(root)))
    })
  )
})

const small_disk = join(tmpdir(), `tracepipe-full-${crypto.randomUUID()}`)
const mount = (...args: ReadonlyArray<string>) => Bun.spawnSync([...args], { stderr: "ignore" }).exitCode === 0
await mkdir(small_disk)
const mounted = mount("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small_disk)

describe(mounted ? "FileObjectStore on a full disk" : "FileObjectStore on a full disk (skipped: may not mount)", () => {
  afterAll(async () => {
    if (mounted) mount("umount", small_disk)
    await rm(small_disk, { recursive: true })
  })

  const full = (name: string, bytes: Uint8Array, count: number) =>
    it.scopedLive.skipIf(!mounted)(name, () =>
      Effect.gen(function* () {
        const prefix = freshPrefix()
        const upload = Effect.gen(function* () {
          const batch = yield* (yield* ObjectStore).batch(prefix)
          yield* Effect.forEach(Array.from({ length: count }).keys(), (index) => put(batch, `${index}/file`, bytes))
          yield* batch.commit
        }).pipe(Effect.scoped)
        expect(yield* Effect.flip(upload)).toBeInstanceOf(ObjectStoreFull)
        expect(yield* leftovers("")).toEqual(nothing)
        yield* store(prefix, { file: bytesOf(3 * MIB) })
        yield* (yield* ObjectStore).removePrefix(prefix)
      }).pipe(Effect.provide(FileObjectStore.layer(small_disk)))
    )

  full("says so of a large object, and leaves nothing", bytesOf(5 * MIB), 1)
  full("says so of many small objects, and leaves nothing", bytesOf(10_000), 500)
})
