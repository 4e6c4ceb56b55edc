import { expect, layer } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Redacted, Stream } from "effect"
import { ObjectStore, ObjectStoreFull, ObjectStoreUnavailable } from "../../src/platform/ObjectStore.ts"
import * as S3ObjectStore from "../../src/platform/S3ObjectStore.ts"
import { partSize } from "../../src/platform/s3/Buffers.ts"
import { batchPrefixOf } from "../../src/platform/s3/Listing.ts"
import { type Fault, type FaultProxy, faultProxy, type ProxiedRequest } from "../support/FaultProxy.ts"
import { freshBucket, listsUploads, NO_UPLOAD_LISTING, optionsFor, s3Server } from "../support/S3Server.ts"
import { bytesOf, freshPrefix, leftovers, put, readAll, store } from "./ObjectStore.contract.ts"

const MIB = 1024 * 1024
const TIMEOUT = Duration.seconds(3)
/** The SDK tries four times and pauses in between. */
const ATTEMPTS = 4

class Proxy extends Context.Tag("test/Proxy")<Proxy, FaultProxy>() {}
/** The same bucket without the proxy in between. */
class Direct extends Context.Tag("test/Direct")<Direct, ObjectStore["Type"]>() {}

const world = Layer.unwrapScoped(
  Effect.gen(function* () {
    const server = yield* s3Server
    const bucket = yield* freshBucket(server)
    const proxy = yield* faultProxy(server.endpoint)
    const common = { ...optionsFor(server, bucket), part_buffers: 4 }
    const direct = S3ObjectStore.layer({ ...common, request_timeout: Duration.seconds(30) })
    const proxied = S3ObjectStore.layer({ ...common, endpoint: proxy.endpoint, request_timeout: TIMEOUT })
    return Layer.mergeAll(
      proxied,
      Layer.succeed(Proxy, proxy),
      Layer.map(direct, (context) => Context.make(Direct, Context.get(context, ObjectStore)))
    )
  })
)

/** Makes faults while the effect runs, and counts the requests that `matches` picks, from 1. */
const withFault = <A, E, R>(
  matches: (request: ProxiedRequest) => boolean,
  fault: (count: number) => Fault | undefined,
  effect: Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    const proxy = yield* Proxy
    let count = 0
    const result = yield* Effect.acquireUseRelease(
      Effect.sync(() => {
        proxy.fault = (request) => (matches(request) ? fault(++count) : undefined)
      }),
      () => effect,
      () =>
        Effect.sync(() => {
          proxy.fault = () => undefined
        })
    )
    return { result, count }
  })

const isPart = ({ method, url }: ProxiedRequest) => method === "PUT" && url.searchParams.has("partNumber")
const isRead = ({ method, url }: ProxiedRequest) => method === "GET" && url.searchParams.get("x-id") === "GetObject"
const isComplete = ({ method, url }: ProxiedRequest) => method === "POST" && url.searchParams.has("uploadId")
const isAbort = ({ method, url }: ProxiedRequest) => method === "DELETE" && url.searchParams.has("uploadId")
const isDeleteMany = ({ method, url }: ProxiedRequest) => method === "POST" && url.searchParams.has("delete")
const isUploadList = ({ method, url }: ProxiedRequest) => method === "GET" && url.searchParams.has("uploads")
const isPut = (request: ProxiedRequest) => request.method === "PUT" && !isPart(request)

const answer = (status: number, code: string): Fault => ({ kind: "answer", status, code })

const storeLarge = (prefix: string, size = 40 * MIB) => store(prefix, { large: bytesOf(size) })

const leftInStore = (prefix: string) =>
  Effect.flatMap(Direct, (direct) => Effect.provideService(leftovers(prefix), ObjectStore, direct))
const nothing = { listed: [], pending: [] }

const remove = (prefix: string) => Effect.flatMap(Direct, (direct) => direct.removePrefix(prefix))

layer(world, { excludeTestServices: true, timeout: "60 seconds" })("S3ObjectStore behind a faulty network", (it) => {
  const itPending = listsUploads ? it.scoped : it.scoped.skip
  const reason = listsUploads ? "" : ` (skipped: ${NO_UPLOAD_LISTING})`

  it.scoped("uploads through a server that refuses every third part", () =>
    Effect.gen(function* () {
      const prefix = freshPrefix()
      const { count } = yield* withFault(
        isPart,
        (turn) => (turn % 3 === 0 ? answer(503, "SlowDown") : undefined),
        storeLarge(prefix)
      )
      expect(count).toBe(7)
      expect(yield* readAll(`${prefix}large`)).toHaveLength(40 * MIB)
      yield* remove(prefix)
    })
  )

  it.scoped("uploads through a server that hangs at every second request", () =>
    Effect.gen(function* () {
      const prefix = freshPrefix()
      yield* withFault(
        (request) => isPart(request) || isPut(request),
        (turn) => (turn % 2 === 1 ? { kind: "hang" } : undefined),
        store(prefix, { large: bytesOf(33 * MIB), small: bytesOf(10) })
      )
      expect(yield* readAll(`${prefix}small`)).toEqual(bytesOf(10))
      expect(Bun.hash(yield* readAll(`${prefix}large`))).toBe(Bun.hash(bytesOf(33 * MIB)))
      yield* remove(prefix)
    })
  )

  it.scoped("gives up on a server that hangs, in bounded time, and leaves nothing", () =>
    Effect.gen(function* () {
      const proxy = yield* Proxy
      const prefix = freshPrefix()
      const before = proxy.given_up()
      const [took, { result }] = yield* Effect.timed(
        withFault(isPart, () => ({ kind: "hang" }), Effect.flip(storeLarge(prefix)))
      )
      expect(result).toBeInstanceOf(ObjectStoreUnavailable)
      expect(Duration.toSeconds(took)).toBeLessThan(ATTEMPTS * Duration.toSeconds(TIMEOUT) + 6)
      expect(proxy.given_up() - before).toBeGreaterThanOrEqual(ATTEMPTS)
      expect(yield* leftInStore(prefix)).toEqual(nothing)
    })
  )

  it.scoped("aborts the request in flight when it is interrupted", () =>
    Effect.gen(function* () {
      const proxy = yield* Proxy
      const prefix = freshPrefix()
      const before = proxy.given_up()
      const hung = Promise.withResolvers<void>()
      yield* withFault(
        isPart,
        () => {
          hung.resolve()
          return { kind: "hang" }
        },
        Effect.gen(function* () {
          const fiber = yield* Effect.fork(storeLarge(prefix))
          yield* Effect.promise(() => hung.promise)
          const [took, exit] = yield* Effect.timed(Fiber.interrupt(fiber))
          expect(Exit.isInterrupted(exit)).toBe(true)
          expect(Duration.toSeconds(took)).toBeLessThan(Duration.toSeconds(TIMEOUT))
        })
      )
      yield* Effect.repeat(Effect.yieldNow(), { until: () => proxy.given_up() > before })
      expect(yield* leftInStore(prefix)).toEqual(nothing)
    })
  )

  it.scoped("can use all its buffers again after failures and interruptions", () =>
    Effect.gen(function* () {
      const prefix = freshPrefix()
      yield* withFault(
        isPart,
        () => answer(403, "AccessDenied"),
        Effect.forEach(Array.from({ length: 8 }), () => Effect.flip(storeLarge(prefix)), { concurrency: 8 })
      )
      yield* Effect.forEach(
        Array.from({ length: 8 }, () => freshPrefix()),
        (one) => Effect.andThen(storeLarge(one, 2 * MIB), remove(one)),
        { concurrency: 8 }
      )
      expect(yield* leftInStore(prefix)).toEqual(nothing)
    })
  )

  it.scoped("fails when nobody listens", () =>
    Effect.gen(function* () {
      const prefix = freshPrefix()
      const objects = yield* ObjectStore
      expect(yield* Effect.flip(objects.health)).toBeInstanceOf(ObjectStoreUnavailable)
      expect(yield* Effect.flip(store(prefix, { small: bytesOf(3) }))).toBeInstanceOf(ObjectStoreUnavailable)
      expect(yield* Effect.flip(storeLarge(prefix))).toBeInstanceOf(ObjectStoreUnavailable)
      expect(yield* Effect.flip(objects.read(`${prefix}small`))).toBeInstanceOf(ObjectStoreUnavailable)
      expect(yield* Effect.flip(Stream.runDrain(objects.list(prefix)))).toBeInstanceOf(ObjectStoreUnavailable)
    }).pipe(
      Effect.provide(
        S3ObjectStore.layer({
          bucket: "none",
          endpoint: "http://127.0.0.1:1",
          region: "us-east-1",
          access_key_id: "a",
          secret_access_key: Redacted.make("s"),
          force_path_style: true,
          part_buffers: 4,
          largest_object: 1024 * MIB,
          request_timeout: TIMEOUT
        })
      )
    )
  )

  it.scoped("says that the store is full, and leaves nothing", () =>
    Effect.gen(function* () {
      for (const fault of [answer(507, "InsufficientStorage"), answer(403, "QuotaExceeded")]) {
        const prefix = freshPrefix()
        const part = yield* withFault(isPart, () => fault, Effect.flip(storeLarge(prefix)))
        expect(part.result).toBeInstanceOf(ObjectStoreFull)
        const small = yield* withFault(isPut, () => fault, Effect.flip(store(prefix, { small: bytesOf(3) })))
        expect(small.result).toBeInstanceOf(ObjectStoreFull)
        expect(yield* leftInStore(prefix)).toEqual(nothing)
      }
    })
  )

  it.scoped("is committed when the answer to the completion was lost", () =>
    Effect.gen(function* () {
      const prefix = freshPrefix()
      const { count } = yield* withFault(
        isComplete,
        (turn) => (turn === 1 ? { kind: "cut", after: 10 } : undefined),
        storeLarge(prefix)
      )
      expect(count).toBe(2)
      expect(yield* leftInStore(prefix)).toEqual({ listed: [`${prefix}large`], pending: [] })
      yield* remove(prefix)
    })
  )

  it.scoped("takes back what is complete when another object of the batch cannot be completed", () =>
    Effect.gen(function* () {
      const prefix = freshPrefix()
      yield* withFault(
        (request) => isComplete(request) && request.url.pathname.endsWith("/b"),
        () => answer(403, "AccessDenied"),
        Effect.flip(store(prefix, { a: bytesOf(17 * MIB), b: bytesOf(17 * MIB), c: bytesOf(3) }))
      )
      expect(yield* leftInStore(prefix)).toEqual(nothing)
    })
  )

  it.scoped("reads on after the connection broke", () =>
    Effect.gen(function* () {
      const prefix = freshPrefix()
      const bytes = bytesOf(9 * MIB)
      yield* store(prefix, { file: bytes })
      const whole = yield* withFault(
        isRead,
        (turn) => (turn <= 3 ? { kind: "cut", after: 2 * MIB + turn } : undefined),
        readAll(`${prefix}file`)
      )
      expect(whole.count).toBe(4)
      expect(Bun.hash(whole.result)).toBe(Bun.hash(bytes))
      const range = yield* withFault(
        isRead,
        (turn) => (turn === 1 ? { kind: "cut", after: 100_000 } : undefined),
        readAll(`${prefix}file`, { start: 77, end: 5 * MIB })
      )
      expect(Bun.hash(range.result)).toBe(Bun.hash(bytes.subarray(77, 5 * MIB + 1)))
      yield* remove(prefix)
    })
  )

  it.scoped("fails when the connection breaks again and again", () =>
    Effect.gen(function* () {
      const prefix = freshPrefix()
      yield* store(prefix, { file: bytesOf(9 * MIB) })
      const { result, count } = yield* withFault(
        isRead,
        () => ({ kind: "cut", after: 1000 }),
        Effect.flip(readAll(`${prefix}file`))
      )
      expect(result).toBeInstanceOf(ObjectStoreUnavailable)
      expect(count).toBe(4)
      yield* remove(prefix)
    })
  )

  it.scoped("does not read on in an object that has been replaced", () =>
    Effect.gen(function* () {
      const prefix = freshPrefix()
      const direct = yield* Direct
      yield* store(prefix, { file: bytesOf(9 * MIB, 1) })
      const reading = Effect.gen(function* () {
        const stream = yield* (yield* ObjectStore).read(`${prefix}file`)
        yield* Effect.provideService(store(prefix, { file: bytesOf(9 * MIB, 2) }), ObjectStore, direct)
        return yield* Stream.runDrain(stream)
      })
      const { result } = yield* withFault(isRead, () => ({ kind: "cut", after: MIB }), Effect.flip(reading))
      expect(result).toBeInstanceOf(ObjectStoreUnavailable)
      yield* remove(prefix)
    })
  )

  it.scoped("deletes one by one where the server cannot delete many", () =>
    Effect.gen(function* () {
      const prefix = freshPrefix()
      yield* store(prefix, { a: bytesOf(1), "b c/d": bytesOf(2) })
      const { count } = yield* withFault(
        isDeleteMany,
        () => answer(501, "NotImplemented"),
        Effect.flatMap(ObjectStore, (objects) => objects.removePrefix(prefix))
      )
      expect(count).toBe(1)
      expect(yield* leftInStore(prefix)).toEqual(nothing)
    })
  )

  it.scoped("does without a listing of uploads where the server has none", () =>
    Effect.gen(function* () {
      const prefix = freshPrefix()
      yield* store(prefix, { a: bytesOf(1) })
      const removal = Effect.flatMap(ObjectStore, (objects) => objects.removePrefix(prefix))
      const { count } = yield* withFault(isUploadList, () => answer(501, "NotImplemented"), removal)
      expect(count).toBe(1)
      expect(yield* leftInStore(prefix)).toEqual(nothing)
    })
  )

  itPending(`leaves to the collector what it cannot abort${reason}`, () =>
    Effect.gen(function* () {
      const prefix = freshPrefix()
      const abandoned = Effect.gen(function* () {
        yield* put(yield* (yield* ObjectStore).batch(prefix), "large", bytesOf(17 * MIB))
      }).pipe(Effect.scoped)
      const [took] = yield* Effect.timed(withFault(isAbort, () => ({ kind: "hang" }), abandoned))
      expect(Duration.toSeconds(took)).toBeLessThan(16)
      expect(yield* leftInStore(prefix)).toEqual({ listed: [], pending: [prefix] })
      yield* remove(prefix)
      expect(yield* leftInStore(prefix)).toEqual(nothing)
    })
  )

  it("chooses parts of one size that are few enough", () => {
    expect(partSize(1)).toBe(8 * MIB)
    expect(partSize(80_000 * MIB)).toBe(8 * MIB)
    expect(partSize(80_000 * MIB + 1)).toBe(9 * MIB)
    const largest = 5 * 1024 * 1024 * MIB
    expect(partSize(largest) % MIB).toBe(0)
    expect(largest / partSize(largest)).toBeLessThanOrEqual(10_000)
  })

  it("takes the first four segments of a key for its batch", () => {
    expect(batchPrefixOf("orgs/o/sessions/s/screenshots/1.png")).toBe("orgs/o/sessions/s/")
    expect(batchPrefixOf("orgs/o/examples/e/messages.jsonl")).toBe("orgs/o/examples/e/")
  })
})
