import { expect, layer } from "@effect/vitest"
import { Deferred, Effect, Either, Exit, Fiber, type Layer, Stream } from "effect"
import { type ObjectBatch, ObjectNotFound, ObjectStore, type ObjectWriter } from "../../src/platform/ObjectStore.ts"

const MIB = 1024 * 1024

/** A prefix that no other test uses. */
export const freshPrefix = (org: string = crypto.randomUUID()) => `orgs/${org}/sessions/${crypto.randomUUID()}/`

/** Bytes that differ at every position and from seed to seed, and are the same each time. */
export const bytesOf = (size: number, seed = 1): Uint8Array<ArrayBuffer> => {
  const words = new Uint32Array(Math.ceil(size / 4))
  let state = seed * 2654435761
  for (let at = 0; at < words.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    words[at] = state
  }
  return new Uint8Array(words.buffer, 0, size)
}

const digest = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex")

const ODD = [1, 4095, 65_537, 262_144, 1_000_003]

/** Writes in chunks of odd sizes, each in memory that is used again for the next. */
export const writeOdd = (writer: ObjectWriter, bytes: Uint8Array) =>
  Effect.gen(function* () {
    const scratch = new Uint8Array(Math.max(...ODD))
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
      const chunk = bytes.subarray(at, at + (ODD[turn % ODD.length] ?? 1))
      scratch.set(chunk)
      yield* writer.write(scratch.subarray(0, chunk.length))
      at += chunk.length
    }
  })

const type = { content_type: "application/octet-stream" }

/** Writes and ends one object; the batch is the caller's to commit. */
export const put = (batch: ObjectBatch, path: string, bytes: Uint8Array, size_hint?: number) =>
  Effect.gen(function* () {
    const writer = yield* batch.writer(path, { ...type, size_hint })
    yield* writeOdd(writer, bytes)
    yield* writer.end
  })

/** Commits objects below a prefix. */
export const store = (prefix: string, objects: Readonly<Record<string, Uint8Array>>) =>
  Effect.gen(function* () {
    const batch = yield* (yield* ObjectStore).batch(prefix)
    yield* Effect.forEach(Object.entries(objects), ([path, bytes]) => put(batch, path, bytes), { concurrency: 8 })
    yield* batch.commit
  }).pipe(Effect.scoped)

/** All bytes of an object, or of a range. */
export const readAll = (key: string, range?: { start: number; end: number }) =>
  Effect.gen(function* () {
    const stream = yield* (yield* ObjectStore).read(key, range)
    const chunks = yield* Stream.runCollect(stream)
    return new Uint8Array(Buffer.concat([...chunks]))
  })

const same = (key: string, expected: Uint8Array) =>
  Effect.gen(function* () {
    const got = yield* readAll(key)
    expect(got.length).toBe(expected.length)
    expect(digest(got)).toBe(digest(expected))
  })

const collect = <A, E>(stream: Stream.Stream<A, E>) => Effect.map(Stream.runCollect(stream), (chunk) => [...chunk])

/** What the store still knows of a prefix. */
export const leftovers = (prefix: string) =>
  Effect.gen(function* () {
    const objects = yield* ObjectStore
    const listed = yield* collect(objects.list(prefix))
    const pending = yield* collect(objects.pending(prefix))
    return { listed: listed.map(({ key }) => key), pending: pending.map((batch) => batch.prefix) }
  })

const nothing = { listed: [], pending: [] }

const missing = (key: string) =>
  Effect.gen(function* () {
    const objects = yield* ObjectStore
    const read = yield* Effect.flip(objects.read(key))
    const head = yield* Effect.flip(objects.head(key))
    expect(read).toBeInstanceOf(ObjectNotFound)
    expect(head).toBeInstanceOf(ObjectNotFound)
  })

export interface ContractOptions<E> {
  readonly layer: Layer.Layer<ObjectStore, E>
  /** The reason for which tests that look at pending uploads cannot run. */
  readonly pending_unknown?: string | undefined
}

/** What every implementation of `ObjectStore` must do, as a suite of tests over one of them. */
export const contract = <E>(name: string, options: ContractOptions<E>) =>
  layer(options.layer, { excludeTestServices: true, timeout: "60 seconds" })(`ObjectStore contract: ${name}`, (it) => {
    const reason = options.pending_unknown === undefined ? "" : ` (skipped: ${options.pending_unknown})`
    const itPending = options.pending_unknown === undefined ? it.scoped : it.scoped.skip

    for (const size of [0, 1, MIB, MIB + 1, 8 * MIB, 8 * MIB + 1, 16 * MIB, 16 * MIB + 1, 40 * MIB]) {
      for (const hint of [size, undefined]) {
        it.scoped(`gives ${size} bytes back, declared as ${hint ?? "unknown"}`, () =>
          Effect.gen(function* () {
            const prefix = freshPrefix()
            const bytes = bytesOf(size)
            const objects = yield* ObjectStore
            const batch = yield* objects.batch(prefix)
            yield* put(batch, "file.bin", bytes, hint)
            yield* batch.commit
            yield* same(`${prefix}file.bin`, bytes)
            const info = yield* objects.head(`${prefix}file.bin`)
            expect(info).toMatchObject({ key: `${prefix}file.bin`, size_bytes: size })
            expect(Math.abs(Date.now() - info.modified_at.getTime())).toBeLessThan(60_000)
            yield* objects.removePrefix(prefix)
          })
        )
      }
    }

    it.scoped("takes a declared size for a hint only", () =>
      Effect.gen(function* () {
        const prefix = freshPrefix()
        const batch = yield* (yield* ObjectStore).batch(prefix)
        yield* put(batch, "longer", bytesOf(3 * MIB), 10)
        yield* put(batch, "much longer", bytesOf(20 * MIB), 2 * MIB)
        yield* put(batch, "shorter", bytesOf(5), 40 * MIB)
        yield* batch.commit
        yield* same(`${prefix}longer`, bytesOf(3 * MIB))
        yield* same(`${prefix}much longer`, bytesOf(20 * MIB))
        yield* same(`${prefix}shorter`, bytesOf(5))
        yield* (yield* ObjectStore).removePrefix(prefix)
      })
    )

    it.scoped("gives a small object at once, and tells one that is too large or missing", () =>
      Effect.gen(function* () {
        const prefix = freshPrefix()
        const objects = yield* ObjectStore
        const batch = yield* objects.batch(prefix)
        for (const size of [0, 1, 1000, 3 * MIB]) yield* put(batch, `${size}`, bytesOf(size))
        yield* batch.commit
        for (const size of [0, 1, 1000, 3 * MIB]) {
          const whole = yield* objects.whole(`${prefix}${size}`, size)
          expect(Buffer.compare(whole ?? bytesOf(size + 1), bytesOf(size)), `${size}`).toBe(0)
          if (size > 0) expect(yield* objects.whole(`${prefix}${size}`, size - 1)).toBeUndefined()
        }
        expect(yield* Effect.flip(objects.whole(`${prefix}missing`, 10))).toMatchObject({ _tag: "ObjectNotFound" })
        yield* objects.removePrefix(prefix)
      })
    )

    it.scoped("keeps interleaved writers apart", () =>
      Effect.gen(function* () {
        const prefix = freshPrefix()
        const batch = yield* (yield* ObjectStore).batch(prefix)
        const sizes = [9 * MIB, 300_000, 17 * MIB]
        yield* Effect.forEach(sizes, (size, index) => put(batch, `by-fibers/${index}`, bytesOf(size, index)), {
          concurrency: "unbounded"
        })
        const writers = yield* Effect.forEach(sizes, (_, index) => batch.writer(`in-turn/${index}`, type))
        for (let at = 0; at < Math.max(...sizes); at += MIB) {
          yield* Effect.forEach(writers, (writer, index) =>
            writer.write(bytesOf(sizes[index] ?? 0, index).subarray(at, at + MIB))
          )
        }
        yield* Effect.forEach(writers, (writer) => writer.end)
        yield* batch.commit
        yield* Effect.forEach(sizes, (size, index) => same(`${prefix}by-fibers/${index}`, bytesOf(size, index)))
        yield* Effect.forEach(sizes, (size, index) => same(`${prefix}in-turn/${index}`, bytesOf(size, index)))
        yield* (yield* ObjectStore).removePrefix(prefix)
      })
    )

    it.scoped("takes many large objects at once in little memory", () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const org = crypto.randomUUID()
        const piece = bytesOf(256 * 1024)
        const idle = process.memoryUsage().rss
        let peak = idle
        const sampler = setInterval(() => {
          peak = Math.max(peak, process.memoryUsage().rss)
        }, 20)
        const upload = (index: number) =>
          Effect.gen(function* () {
            const batch = yield* objects.batch(`orgs/${org}/sessions/${index}/`)
            const writer = yield* batch.writer("file", { ...type, size_hint: 24 * MIB })
            yield* Effect.repeatN(writer.write(piece), 95)
            yield* writer.end
            yield* batch.commit
          }).pipe(Effect.scoped)
        yield* Effect.forEach(
          Array.from({ length: 64 }, (_, index) => index),
          upload,
          { concurrency: "unbounded", discard: true }
        )
        clearInterval(sampler)
        expect(yield* collect(objects.list(`orgs/${org}/`))).toHaveLength(64)
        // All of it would be 1.5 GiB.
        expect((peak - idle) / MIB).toBeLessThan(512)
        const last = yield* readAll(`orgs/${org}/sessions/63/file`, { start: 23.75 * MIB, end: 24 * MIB - 1 })
        expect(digest(last)).toBe(digest(piece))
        yield* objects.removePrefix(`orgs/${org}/`)
      })
    )

    it.scoped("lets one source feed several writers in many batches at once", () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const org = crypto.randomUUID()
        const piece = bytesOf(MIB)
        const upload = (index: number) =>
          Effect.gen(function* () {
            const batch = yield* objects.batch(`orgs/${org}/sessions/${index}/`)
            const writers = yield* Effect.forEach(["a", "b", "c"], (path) => batch.writer(path, type))
            for (let turn = 0; turn < 18; turn++) {
              yield* Effect.forEach(writers, (writer) => writer.write(piece))
            }
            yield* Effect.forEach(writers, (writer) => writer.end)
            yield* batch.commit
          }).pipe(Effect.scoped)
        yield* Effect.forEach(
          Array.from({ length: 6 }, (_, index) => index),
          upload,
          { concurrency: "unbounded" }
        )
        expect(yield* collect(objects.list(`orgs/${org}/`))).toHaveLength(18)
        yield* objects.removePrefix(`orgs/${org}/`)
      })
    )

    it.scoped("shows nothing of a large object before the commit", () =>
      Effect.gen(function* () {
        const org = crypto.randomUUID()
        const prefix = freshPrefix(org)
        const objects = yield* ObjectStore
        const batch = yield* objects.batch(prefix)
        yield* put(batch, "large", bytesOf(20 * MIB))
        expect(yield* collect(objects.list(prefix))).toEqual([])
        expect(yield* collect(objects.folders(`orgs/${org}/sessions/`))).toEqual([])
        yield* missing(`${prefix}large`)
        yield* batch.commit
        expect((yield* collect(objects.list(prefix))).map(({ key }) => key)).toEqual([`${prefix}large`])
        expect(yield* collect(objects.folders(`orgs/${org}/sessions/`))).toEqual([prefix.split("/")[3]])
        yield* objects.removePrefix(prefix)
      })
    )

    it.scoped("leaves nothing of a batch that is not committed", () =>
      Effect.gen(function* () {
        const prefix = freshPrefix()
        yield* Effect.gen(function* () {
          const batch = yield* (yield* ObjectStore).batch(prefix)
          yield* put(batch, "small", bytesOf(1000))
          yield* put(batch, "folder/large", bytesOf(20 * MIB))
          const open = yield* batch.writer("open", type)
          yield* open.write(bytesOf(18 * MIB))
        }).pipe(Effect.scoped)
        expect(yield* leftovers(prefix)).toEqual(nothing)
        yield* missing(`${prefix}small`)
      })
    )

    it.scoped("leaves nothing of a batch whose source fails", () =>
      Effect.gen(function* () {
        const prefix = freshPrefix()
        const upload = Effect.gen(function* () {
          const batch = yield* (yield* ObjectStore).batch(prefix)
          const writer = yield* batch.writer("file", type)
          const source = Stream.concat(Stream.make(bytesOf(17 * MIB), bytesOf(5)), Stream.fail("the client went away"))
          yield* Stream.runForEach(source, writer.write)
          yield* batch.commit
        }).pipe(Effect.scoped, Effect.either)
        expect(yield* upload).toEqual(Either.left("the client went away"))
        expect(yield* leftovers(prefix)).toEqual(nothing)
      })
    )

    it.scoped("leaves nothing of a batch that is interrupted", () =>
      Effect.gen(function* () {
        const prefix = freshPrefix()
        const under_way = yield* Deferred.make<void>()
        const upload = Effect.gen(function* () {
          const batch = yield* (yield* ObjectStore).batch(prefix)
          yield* put(batch, "small", bytesOf(1000))
          const writer = yield* batch.writer("file", type)
          yield* writer.write(bytesOf(17 * MIB))
          yield* Deferred.succeed(under_way, undefined)
          return yield* Effect.forever(writer.write(bytesOf(MIB)))
        }).pipe(Effect.scoped)
        const fiber = yield* Effect.fork(upload)
        yield* Deferred.await(under_way)
        expect(Exit.isInterrupted(yield* Fiber.interrupt(fiber))).toBe(true)
        expect(yield* leftovers(prefix)).toEqual(nothing)
      })
    )

    it.scoped("drops objects that were not ended", () =>
      Effect.gen(function* () {
        const prefix = freshPrefix()
        yield* Effect.gen(function* () {
          const batch = yield* (yield* ObjectStore).batch(prefix)
          yield* put(batch, "ended", bytesOf(10))
          for (const size of [10, 20 * MIB]) {
            const writer = yield* batch.writer(`not ended ${size}`, type)
            yield* writer.write(bytesOf(size))
          }
          yield* batch.commit
        }).pipe(Effect.scoped)
        expect(yield* leftovers(prefix)).toEqual({ listed: [`${prefix}ended`], pending: [] })
        yield* (yield* ObjectStore).removePrefix(prefix)
      })
    )

    it.scoped("commits a batch of nothing", () =>
      Effect.gen(function* () {
        const prefix = freshPrefix()
        yield* store(prefix, {})
        expect(yield* leftovers(prefix)).toEqual(nothing)
      })
    )

    it.scoped("adds to a prefix that has objects already", () =>
      Effect.gen(function* () {
        const prefix = freshPrefix()
        yield* store(prefix, { "a/one": bytesOf(10, 1), "a/two": bytesOf(10, 2) })
        yield* store(prefix, { "a/two": bytesOf(20, 3), "b/three": bytesOf(10, 4) })
        yield* same(`${prefix}a/one`, bytesOf(10, 1))
        yield* same(`${prefix}a/two`, bytesOf(20, 3))
        yield* same(`${prefix}b/three`, bytesOf(10, 4))
        expect((yield* leftovers(prefix)).pending).toEqual([])
        yield* (yield* ObjectStore).removePrefix(prefix)
      })
    )

    it.scoped("commits two batches of one prefix that were open at once", () =>
      Effect.gen(function* () {
        const prefix = freshPrefix()
        const objects = yield* ObjectStore
        const [left, right] = yield* Effect.all([objects.batch(prefix), objects.batch(prefix)])
        yield* put(left, "left", bytesOf(10))
        yield* put(right, "right", bytesOf(10))
        yield* Effect.all([left.commit, right.commit], { concurrency: 2 })
        const { listed } = yield* leftovers(prefix)
        expect(listed.toSorted()).toEqual([`${prefix}left`, `${prefix}right`])
        yield* objects.removePrefix(prefix)
      })
    )

    it.scoped("reads ranges", () =>
      Effect.gen(function* () {
        const prefix = freshPrefix()
        const bytes = bytesOf(3 * MIB)
        yield* store(prefix, { file: bytes, empty: bytesOf(0) })
        const key = `${prefix}file`
        const last = bytes.length - 1
        expect(yield* readAll(key, { start: 0, end: 0 })).toEqual(bytes.subarray(0, 1))
        expect(yield* readAll(key, { start: 0, end: 99 })).toEqual(bytes.subarray(0, 100))
        expect(digest(yield* readAll(key, { start: 7, end: 2 * MIB }))).toBe(digest(bytes.subarray(7, 2 * MIB + 1)))
        expect(yield* readAll(key, { start: last, end: last })).toEqual(bytes.subarray(last))
        expect(yield* readAll(key, { start: last, end: last + 1000 })).toEqual(bytes.subarray(last))
        expect(yield* readAll(key, { start: last + 1, end: last + 1000 })).toEqual(bytesOf(0))
        expect(yield* readAll(`${prefix}empty`, { start: 0, end: 9 })).toEqual(bytesOf(0))
        yield* (yield* ObjectStore).removePrefix(prefix)
      })
    )

    it.scoped("lets a reader stop early, and lets it not begin", () =>
      Effect.gen(function* () {
        const prefix = freshPrefix()
        const bytes = bytesOf(20 * MIB)
        yield* store(prefix, { file: bytes })
        const objects = yield* ObjectStore
        for (let turn = 0; turn < 20; turn++) {
          const [first = new Uint8Array(0)] = yield* collect(Stream.take(yield* objects.read(`${prefix}file`), 1))
          expect(digest(first)).toBe(digest(bytes.subarray(0, first.length)))
          // Opened and never read: it must not keep a connection.
          expect(yield* objects.read(`${prefix}file`)).toBeDefined()
        }
        yield* same(`${prefix}file`, bytes)
        yield* objects.removePrefix(prefix)
      })
    )

    it.scoped("says of what is not there that it was not found", () =>
      Effect.gen(function* () {
        const prefix = freshPrefix()
        yield* missing(`${prefix}file`)
        yield* store(prefix, { "folder/file": bytesOf(1) })
        yield* missing(`${prefix}folder`)
        yield* missing(`${prefix}folder/file/below`)
        expect(yield* collect((yield* ObjectStore).folders(`${prefix}none/`))).toEqual([])
        yield* (yield* ObjectStore).removePrefix(prefix)
      })
    )

    it.scoped("lists objects and folders", () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const org = crypto.randomUUID()
        // In the order in which they must come.
        const names = ["a b", "a-b", "a", "a0", "b", "z", "é", "日本", "😀"]
        for (const name of names.toReversed()) {
          yield* store(`orgs/${org}/sessions/${name}/`, { "x/y": bytesOf(3), "x/z": bytesOf(4) })
        }
        yield* store(`orgs/${org}/examples/e/`, { m: bytesOf(5) })
        const folder = `orgs/${org}/sessions/`
        expect(yield* collect(objects.folders(folder))).toEqual(names)
        for (const [index, name] of names.entries()) {
          expect(yield* collect(objects.folders(folder, name))).toEqual(names.slice(index + 1))
        }
        expect(yield* collect(objects.folders(folder, "b1"))).toEqual(names.slice(5))
        expect(yield* collect(objects.folders(`orgs/${org}/`))).toEqual(["examples", "sessions"])
        const listed = yield* collect(objects.list(`${folder}a/`))
        expect(listed.map(({ key, size_bytes }) => [key, size_bytes]).toSorted()).toEqual([
          [`${folder}a/x/y`, 3],
          [`${folder}a/x/z`, 4]
        ])
        expect(yield* collect(objects.list(`orgs/${org}/`))).toHaveLength(2 * names.length + 1)
        yield* objects.removePrefix(`orgs/${org}/`)
        expect(yield* collect(objects.list(`orgs/${org}/`))).toEqual([])
      })
    )

    it.scoped("lists and removes more objects than one page holds", () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const prefix = freshPrefix()
        const batch = yield* objects.batch(prefix)
        const paths = Array.from({ length: 2345 }, (_, index) => `${index % 1100}/${index}`)
        yield* Effect.forEach(paths, (path) => put(batch, path, bytesOf(1), 1), { concurrency: 8 })
        yield* batch.commit
        expect(new Set((yield* collect(objects.list(prefix))).map(({ key }) => key)).size).toBe(paths.length)
        expect(yield* collect(objects.folders(prefix))).toHaveLength(1100)
        yield* objects.removePrefix(prefix)
        expect(yield* leftovers(prefix)).toEqual(nothing)
      })
    )

    it.scoped("keeps strange keys apart", () =>
      Effect.gen(function* () {
        const names = [
          "a b",
          "a+b",
          "a%20b",
          "a%2Fb",
          "a#b",
          "a?b=c&d",
          `'"`,
          "<x>&",
          "ünï",
          "日本語",
          "😀",
          "$(x)!*()~;:@,="
        ]
        const prefix = freshPrefix()
        yield* store(prefix, Object.fromEntries(names.map((name, index) => [`${name}/${name}`, bytesOf(10, index)])))
        for (const [index, name] of names.entries()) {
          yield* same(`${prefix}${name}/${name}`, bytesOf(10, index))
          const listed = yield* collect((yield* ObjectStore).list(`${prefix}${name}/`))
          expect(listed.map(({ key }) => key)).toEqual([`${prefix}${name}/${name}`])
        }
        yield* (yield* ObjectStore).removePrefix(prefix)
        expect(yield* leftovers(prefix)).toEqual(nothing)
      })
    )

    it.scoped("removes a prefix and nothing else, any number of times", () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const org = crypto.randomUUID()
        const [prefix, neighbour] = [`orgs/${org}/sessions/s1/`, `orgs/${org}/sessions/s10/`]
        yield* store(prefix, { a: bytesOf(1), "b/c": bytesOf(1) })
        yield* store(neighbour, { a: bytesOf(1) })
        yield* objects.removePrefix(prefix)
        yield* objects.removePrefix(prefix)
        expect(yield* leftovers(`orgs/${org}/`)).toEqual({ listed: [`${neighbour}a`], pending: [] })
        yield* store(prefix, { a: bytesOf(2) })
        yield* same(`${prefix}a`, bytesOf(2))
        yield* objects.removePrefix(`orgs/${org}/`)
      })
    )

    itPending(`tells which batches are pending${reason}`, () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const org = crypto.randomUUID()
        const prefix = freshPrefix(org)
        yield* Effect.gen(function* () {
          const batch = yield* objects.batch(prefix)
          yield* put(batch, "folder/one", bytesOf(17 * MIB))
          yield* put(batch, "two", bytesOf(17 * MIB))
          const [found, ...more] = yield* collect(objects.pending(`orgs/${org}/`))
          expect(more).toEqual([])
          expect(found?.prefix).toBe(prefix)
          expect(Math.abs(Date.now() - (found?.modified_at.getTime() ?? 0))).toBeLessThan(60_000)
          expect(yield* collect(objects.pending(`orgs/${crypto.randomUUID()}/`))).toEqual([])
          yield* batch.commit
        }).pipe(Effect.scoped)
        expect(yield* collect(objects.pending(""))).toEqual([])
        yield* objects.removePrefix(prefix)
      })
    )

    itPending(`removes what is pending, after which it cannot be committed${reason}`, () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const prefix = freshPrefix()
        yield* Effect.gen(function* () {
          const batch = yield* objects.batch(prefix)
          yield* put(batch, "file", bytesOf(17 * MIB))
          // The file layer ends its work in the background: what is written is there already.
          expect((yield* leftovers(prefix)).pending).toEqual([prefix])
          yield* objects.removePrefix(prefix)
          expect(yield* leftovers(prefix)).toEqual(nothing)
          expect((yield* Effect.flip(batch.commit))._tag).toBe("ObjectStoreUnavailable")
        }).pipe(Effect.scoped)
        expect(yield* leftovers(prefix)).toEqual(nothing)
      })
    )

    it.scoped("removes single objects, and does not mind one that is missing", () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const prefix = freshPrefix()
        const batch = yield* objects.batch(prefix)
        for (const name of ["a", "b", "below/c"]) yield* put(batch, name, bytesOf(10))
        yield* batch.commit
        yield* objects.remove([`${prefix}a`, `${prefix}b`, `${prefix}missing`])
        expect((yield* leftovers(prefix)).listed).toEqual([`${prefix}below/c`])
        yield* objects.remove([`${prefix}below/c`])
        expect((yield* leftovers(prefix)).listed).toEqual([])
      })
    )

    itPending(`removes what is pending alone, beside what was committed${reason}`, () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const prefix = freshPrefix()
        const committed = yield* objects.batch(prefix)
        yield* put(committed, "kept", bytesOf(100))
        yield* committed.commit
        yield* Effect.gen(function* () {
          const batch = yield* objects.batch(prefix)
          yield* put(batch, "file", bytesOf(17 * MIB))
          expect((yield* leftovers(prefix)).pending).toEqual([prefix])
          yield* objects.removePending(prefix)
          expect(yield* leftovers(prefix)).toEqual({ listed: [`${prefix}kept`], pending: [] })
        }).pipe(Effect.scoped)
        yield* objects.removePrefix(prefix)
      })
    )

    it.scoped("is healthy", () => Effect.flatMap(ObjectStore, ({ health }) => health))
  })
