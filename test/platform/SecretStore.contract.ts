import { expect, layer as suite } from "@effect/vitest"
import { Effect, Either, type Layer, Redacted } from "effect"
import type { OrganizationId } from "../../src/domain/Ids.ts"
import { SecretStore } from "../../src/platform/SecretStore.ts"

export interface Subject<R> {
  readonly layer: Layer.Layer<SecretStore | R, unknown>
  /** A new organization that may have secrets. */
  readonly organization: Effect.Effect<OrganizationId, never, R>
}

const freshPath = () => `mcp-servers/${crypto.randomUUID()}/credentials`

const text = (version: { readonly version: number; readonly value: Redacted.Redacted } | undefined) =>
  version === undefined ? undefined : [version.version, Redacted.value(version.value)]

/** What every store of secrets has to do. */
export const contract = <R>(name: string, { layer, organization }: Subject<R>) =>
  suite(layer, { excludeTestServices: true })(`secrets in ${name}`, (it) => {
    const world = Effect.gen(function* () {
      const store = yield* SecretStore
      const org_id = yield* organization
      const at = { org_id, path: freshPath() }
      return { store, org_id, at }
    })

    it.effect("are kept, version by version", () =>
      Effect.gen(function* () {
        const { store, at } = yield* world
        expect(yield* store.get(at)).toBeUndefined()
        const values = ["first", "zweitens: ä€😀\n\u0000 end", `{"long":"${"x".repeat(20_000)}"}`, ""]
        for (const [index, value] of values.entries()) {
          expect(yield* store.put(at, Redacted.make(value))).toBe(index + 1)
        }
        for (const [index, value] of values.entries()) {
          expect(text(yield* store.get(at, index + 1))).toEqual([index + 1, value])
        }
        expect(text(yield* store.get(at))).toEqual([4, ""])
        expect(yield* store.get(at, 5)).toBeUndefined()
      })
    )

    it.effect("are one organization's each, and the service's own are nobody else's", () =>
      Effect.gen(function* () {
        const { store, at } = yield* world
        const other = { org_id: yield* organization, path: at.path }
        const own = { org_id: null, path: at.path }
        yield* store.put(at, Redacted.make("mine"))
        expect(yield* store.get(other)).toBeUndefined()
        expect(yield* store.get(own)).toBeUndefined()
        yield* store.put(own, Redacted.make("the service's"))
        yield* store.put(other, Redacted.make("theirs"))
        yield* store.remove(other)
        expect(text(yield* store.get(at))).toEqual([1, "mine"])
        expect(text(yield* store.get(own))).toEqual([1, "the service's"])
        yield* store.remove(own)
        expect(yield* store.get(own)).toBeUndefined()
      })
    )

    it.effect("are not lost or found under a path that begins with theirs", () =>
      Effect.gen(function* () {
        const { store, at } = yield* world
        const below = { ...at, path: `${at.path}/more` }
        yield* store.put(below, Redacted.make("below"))
        expect(yield* store.get(at)).toBeUndefined()
        yield* store.put(at, Redacted.make("above"))
        yield* store.remove(at)
        expect(text(yield* store.get(below))).toEqual([1, "below"])
      })
    )

    it.effect("are written only after the version that is expected", () =>
      Effect.gen(function* () {
        const { store, at } = yield* world
        const put = (value: string, after: number) => Effect.either(store.put(at, Redacted.make(value), { after }))
        const refused = (result: Either.Either<number, { readonly _tag: string }>) =>
          Either.match(result, { onLeft: ({ _tag }) => _tag, onRight: String })
        expect(refused(yield* put("a", 1))).toBe("SecretChanged")
        expect(refused(yield* put("a", 0))).toBe("1")
        expect(refused(yield* put("b", 0))).toBe("SecretChanged")
        expect(refused(yield* put("b", 1))).toBe("2")
        expect(refused(yield* put("c", 1))).toBe("SecretChanged")
        expect(refused(yield* put("c", 3))).toBe("SecretChanged")
        expect(text(yield* store.get(at))).toEqual([2, "b"])
      })
    )

    it.effect("have one winner of twenty that expect the same version", () =>
      Effect.gen(function* () {
        const { store, at } = yield* world
        for (const after of [0, 1]) {
          const results = yield* Effect.forEach(
            Array.from({ length: 20 }, (_, index) => `${after}:${index}`),
            (value) => Effect.either(Effect.as(store.put(at, Redacted.make(value), { after }), value)),
            { concurrency: "unbounded" }
          )
          const winners = results.filter(Either.isRight).map(({ right }) => right)
          expect(winners).toHaveLength(1)
          expect(text(yield* store.get(at))).toEqual([after + 1, winners[0]])
        }
      })
    )

    it.effect("lose nothing of twenty that expect nothing", () =>
      Effect.gen(function* () {
        const { store, at } = yield* world
        const values = Array.from({ length: 20 }, (_, index) => `value ${index}`)
        const versions = yield* Effect.forEach(values, (value) => store.put(at, Redacted.make(value)), {
          concurrency: "unbounded"
        })
        expect(versions.toSorted((a, b) => a - b)).toEqual(values.map((_, index) => index + 1))
        // Vault keeps ten versions unless its mount is told otherwise.
        const newest = yield* store.get(at)
        expect(text(newest)).toEqual([20, values[versions.indexOf(20)]])
      })
    )

    it.effect("are pruned below a version, and the newest stays", () =>
      Effect.gen(function* () {
        const { store, at } = yield* world
        for (const value of ["a", "b", "c", "d"]) yield* store.put(at, Redacted.make(value))
        yield* store.prune(at, 3)
        expect(yield* store.get(at, 1)).toBeUndefined()
        expect(yield* store.get(at, 2)).toBeUndefined()
        expect(text(yield* store.get(at, 3))).toEqual([3, "c"])
        yield* store.prune(at, 100)
        expect(yield* store.get(at, 3)).toBeUndefined()
        expect(text(yield* store.get(at))).toEqual([4, "d"])
        expect(yield* store.put(at, Redacted.make("e"), { after: 4 })).toBe(5)
        yield* store.prune({ ...at, path: freshPath() }, 3)
      })
    )

    it.effect("are gone for good once removed, and may begin again", () =>
      Effect.gen(function* () {
        const { store, at } = yield* world
        yield* store.put(at, Redacted.make("a"))
        yield* store.put(at, Redacted.make("b"))
        yield* store.remove(at)
        expect(yield* store.get(at)).toBeUndefined()
        expect(yield* store.get(at, 1)).toBeUndefined()
        yield* store.remove(at)
        expect(yield* store.put(at, Redacted.make("again"), { after: 0 })).toBe(1)
        expect(text(yield* store.get(at))).toEqual([1, "again"])
      })
    )

    it.effect("have no path that leads elsewhere", () =>
      Effect.gen(function* () {
        const { store, org_id } = yield* world
        for (const path of [
          "",
          "..",
          "a/../b",
          "a//b",
          "/a",
          "a/",
          "a?b",
          "a#b",
          "a|b",
          "a%2fb",
          ".a",
          "x".repeat(501)
        ]) {
          const put = yield* Effect.exit(store.put({ org_id, path }, Redacted.make("x")))
          expect(put._tag, path).toBe("Failure")
          expect((yield* Effect.exit(store.get({ org_id, path })))._tag, path).toBe("Failure")
        }
      })
    )

    it.effect("are redacted, and the store answers", () =>
      Effect.gen(function* () {
        const { store, at } = yield* world
        yield* store.ping
        yield* store.put(at, Redacted.make("hunter2"))
        const found = yield* store.get(at)
        expect(`${JSON.stringify(found)} ${String(found?.value)}`).not.toContain("hunter2")
      })
    )
  })
