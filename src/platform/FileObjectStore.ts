import type { Dirent } from "node:fs"
import { mkdir, open, readdir, rm, rmdir, stat, writeFile } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import { Effect, Layer, Option, Stream } from "effect"
import { disk, hasCode, ifPresent } from "./file/Disk.ts"
import { type FileStore, fileBatch } from "./file/FileBatch.ts"
import { Folders } from "./file/Folders.ts"
import { SyncAhead } from "./file/SyncAhead.ts"
import { prefixOfTemp, TEMP } from "./file/TempFolder.ts"
import {
  type ByteRange,
  type ObjectInfo,
  ObjectNotFound,
  ObjectStore,
  type ObjectStoreError,
  type PendingBatch
} from "./ObjectStore.ts"

const READ_CHUNK = 512 * 1024

/** How many folders above a removed prefix go away with it when they are empty. */
const PRUNED_PARENTS = 2

/** The path of a key. The callers have checked their keys: one that is not a plain path below the root is a defect. */
const pathIn = (root: string) => (key: string) => {
  const path = resolve(root, key)
  if (path !== `${root}/${key}` || key === TEMP || key.startsWith(`${TEMP}/`))
    throw new Error(`not an object key: ${key}`)
  return path
}

/** The path of a prefix, which is empty or ends in a slash. */
const folderOf = (store: FileStore, prefix: string) =>
  prefix === "" ? store.folders.root : store.path(prefix.slice(0, -1))

const entriesOf = (folder: string): Effect.Effect<ReadonlyArray<Dirent>, ObjectStoreError> =>
  Effect.map(
    disk("list a folder", () => ifPresent(readdir(folder, { withFileTypes: true }))),
    (entries) => entries ?? []
  )

const infoOf = (store: FileStore, key: string): Effect.Effect<ObjectInfo, ObjectNotFound | ObjectStoreError> =>
  Effect.suspend(() => disk("look up an object", () => ifPresent(stat(store.path(key))))).pipe(
    Effect.flatMap((found) =>
      found?.isFile()
        ? Effect.succeed({ key, size_bytes: found.size, modified_at: found.mtime })
        : Effect.fail(new ObjectNotFound({ key }))
    )
  )

const bytesOf = (path: string, start: number, end: number): Stream.Stream<Uint8Array, ObjectStoreError> =>
  Stream.acquireRelease(
    disk("open an object", () => open(path, "r")),
    (handle) => Effect.orDie(disk("close an object", () => handle.close()))
  ).pipe(
    Stream.flatMap((handle) =>
      Stream.unfoldEffect(start, (position) =>
        position > end
          ? Effect.succeed(Option.none())
          : disk("read an object", async () => {
              const bytes = new Uint8Array(Math.min(READ_CHUNK, end - position + 1))
              const { bytesRead } = await handle.read(bytes, 0, bytes.length, position)
              return bytesRead === 0
                ? Option.none()
                : Option.some([bytes.subarray(0, bytesRead), position + bytesRead] as const)
            })
      )
    )
  )

const read = (store: FileStore) =>
  Effect.fn("ObjectStore.read")(function* (key: string, range?: ByteRange) {
    const { size_bytes } = yield* infoOf(store, key)
    return bytesOf(store.path(key), range?.start ?? 0, Math.min(range?.end ?? Number.POSITIVE_INFINITY, size_bytes - 1))
  })

const whole = (store: FileStore) =>
  Effect.fn("ObjectStore.whole")(function* (key: string, most: number) {
    const bytes = yield* disk("read an object", () =>
      ifPresent(
        Bun.file(store.path(key))
          .slice(0, most + 1)
          .bytes()
      )
    )
    if (bytes === undefined) return yield* new ObjectNotFound({ key })
    return bytes.length > most ? undefined : bytes
  })

/** All files below a folder, whose own entries must begin with `start`. `folder` is empty or ends in a slash. */
const walk = (store: FileStore, folder: string, start: string): Stream.Stream<ObjectInfo, ObjectStoreError> =>
  Stream.fromIterableEffect(Effect.suspend(() => entriesOf(folderOf(store, folder)))).pipe(
    Stream.filter(({ name }) => name.startsWith(start) && !(folder === "" && name === TEMP)),
    Stream.flatMap((entry) =>
      entry.isDirectory()
        ? walk(store, `${folder}${entry.name}/`, "")
        : // One that has vanished since the listing is not listed.
          Stream.fromEffect(infoOf(store, folder + entry.name)).pipe(
            Stream.catchTag("ObjectNotFound", () => Stream.empty)
          )
    )
  )

const list = (store: FileStore) => (prefix: string) => {
  const cut = prefix.lastIndexOf("/") + 1
  return walk(store, prefix.slice(0, cut), prefix.slice(cut))
}

const sortKey = (folder: string) => Buffer.from(`${folder}/`)

const folders = (store: FileStore) => (prefix: string, start_after?: string) =>
  Stream.fromIterableEffect(
    Effect.map(
      Effect.suspend(() => entriesOf(folderOf(store, prefix))),
      (entries) => {
        const after = start_after === undefined ? undefined : sortKey(start_after)
        return entries
          .filter((entry) => entry.isDirectory() && !(prefix === "" && entry.name === TEMP))
          .map(({ name }) => ({ name, key: sortKey(name) }))
          .filter(({ key }) => after === undefined || Buffer.compare(key, after) > 0)
          .sort((left, right) => Buffer.compare(left.key, right.key))
          .map(({ name }) => name)
      }
    )
  )

/** The temp folders of batches whose prefix begins with `prefix`. */
const temps = (store: FileStore, prefix: string) =>
  Effect.map(entriesOf(join(store.folders.root, TEMP)), (entries) =>
    entries.flatMap(({ name }) => {
      const of = prefixOfTemp(name)
      return of?.startsWith(prefix) ? [{ prefix: of, path: join(store.folders.root, TEMP, name) }] : []
    })
  )

const newestIn = async (folder: string) => {
  let newest = 0
  for (const entry of ["", ...((await ifPresent(readdir(folder, { recursive: true }))) ?? [])]) {
    newest = Math.max(newest, (await ifPresent(stat(join(folder, entry))))?.mtimeMs ?? 0)
  }
  return newest
}

const pending = (store: FileStore) => (prefix: string) =>
  Stream.fromIterableEffect(
    Effect.gen(function* () {
      const newest = new Map<string, number>()
      for (const temp of yield* temps(store, prefix)) {
        const time = yield* disk("look at a temp folder", () => newestIn(temp.path))
        newest.set(temp.prefix, Math.max(newest.get(temp.prefix) ?? 0, time))
      }
      return Array.from(newest, ([of, time]): PendingBatch => ({ prefix: of, modified_at: new Date(time) }))
    })
  )

const prune = async (store: FileStore, removed: string) => {
  let folder = dirname(removed)
  for (let level = 0; level < PRUNED_PARENTS && folder !== store.folders.root; level++, folder = dirname(folder)) {
    store.folders.forget(folder)
    try {
      await ifPresent(rmdir(folder))
    } catch (cause) {
      if (hasCode(cause, "ENOTEMPTY", "EEXIST")) return
      throw cause
    }
  }
}

const remove = (store: FileStore) =>
  Effect.fn("ObjectStore.remove")((keys: ReadonlyArray<string>) =>
    disk("remove objects", async () => {
      for (const path of keys.map(store.path)) {
        await rm(path, { force: true })
        await prune(store, path)
      }
    })
  )

const removePrefix = (store: FileStore) =>
  Effect.fn("ObjectStore.removePrefix")(function* (prefix: string) {
    const target = store.path(prefix.slice(0, -1))
    const paths = [...(yield* temps(store, prefix)).map(({ path }) => path), target]
    yield* disk("remove a prefix", async () => {
      for (const path of paths) await rm(path, { recursive: true, force: true })
      store.folders.forget(target)
      await prune(store, target)
    })
  })

const removePending = (store: FileStore) =>
  Effect.fn("ObjectStore.removePending")(function* (prefix: string) {
    const paths = (yield* temps(store, prefix)).map(({ path }) => path)
    yield* disk("remove temp folders", async () => {
      for (const path of paths) await rm(path, { recursive: true, force: true })
    })
  })

const health = (store: FileStore) => {
  const probe = join(store.folders.root, TEMP, "health")
  return disk("write and remove a file", () => writeFile(probe, "tracepipe").finally(() => rm(probe, { force: true })))
}

/** Objects as files: key `a/b` is `<root>/a/b`. One process at a time may use a root. */
export const layer = (root: string): Layer.Layer<ObjectStore, ObjectStoreError> =>
  Layer.effect(
    ObjectStore,
    Effect.gen(function* () {
      const absolute = resolve(root)
      const store: FileStore = { folders: new Folders(absolute), ahead: new SyncAhead(), path: pathIn(absolute) }
      yield* disk("make the data folder", async () => {
        await mkdir(join(absolute, TEMP), { recursive: true, mode: 0o700 })
        await store.folders.sync(absolute)
      })
      return {
        kind: "file",
        batch: (prefix) => fileBatch(store, prefix),
        read: read(store),
        head: (key) => infoOf(store, key),
        list: list(store),
        whole: whole(store),
        folders: folders(store),
        remove: remove(store),
        removePrefix: removePrefix(store),
        pending: pending(store),
        removePending: removePending(store),
        direct: undefined,
        health: health(store)
      }
    })
  )
