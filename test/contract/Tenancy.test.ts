import { expect, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { type Answer, type Endpoint, endpoints, isMutating, send } from "../support/Contract.ts"
import { type Caller, organization, rowsOf } from "../support/Organizations.ts"
import { type Ids, pathOf, populate, requestOf, requestsOf } from "../support/Population.ts"
import { TestServer } from "../support/TestServer.ts"

interface Tenant extends Caller {
  readonly ids: Ids
}

const tenant = Effect.gen(function* () {
  const caller = yield* organization()
  return { ...caller, ids: yield* populate(caller) } satisfies Tenant
})

/** Two organizations that have one thing of every kind each. */
class Tenants extends Context.Tag("test/Tenants")<Tenants, { readonly first: Tenant; readonly second: Tenant }>() {
  static readonly layer = Layer.effect(Tenants, Effect.all({ first: tenant, second: tenant })).pipe(
    Layer.provideMerge(TestServer.layer())
  )
}

/** What an answer says, but for the ids that it was asked with and the id of the request. */
const said = ({ status, text }: Answer, ...asked: ReadonlyArray<string>) => {
  const blank = asked.reduce((left, id) => left.replaceAll(id, "<id>"), text)
  if (!blank.startsWith("{")) return { status, body: blank }
  const { request_id: _request, instance: _instance, ...body } = JSON.parse(blank)
  return { status, body }
}

/** All ways to choose some of the kinds, none among them. */
const subsets = ([kind, ...rest]: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> => {
  if (kind === undefined) return [[]]
  const others = subsets(rest)
  return [...others, ...others.map((some) => [kind, ...some])]
}

const choices = (kinds: ReadonlyArray<string>) => subsets(kinds).filter((some) => some.length > 0)

const replaced = (ids: Ids, kinds: ReadonlyArray<string>, by: (kind: string) => string): Ids => ({
  ...ids,
  ...Object.fromEntries(kinds.map((kind) => [kind, by(kind)]))
})

/** Asks with the first organization's ids of these kinds, and with ids that do not exist: nobody can tell the answers apart. */
const expectSame = (
  endpoint: Endpoint,
  kinds: ReadonlyArray<string>,
  ask: (ids: Ids) => ReturnType<typeof send>,
  statuses: ReadonlyArray<number>
) =>
  Effect.gen(function* () {
    const { first, second } = yield* Tenants
    const before = yield* rowsOf(first.org_id)
    const foreign = replaced(second.ids, kinds, (kind) => first.ids[kind] ?? "")
    const missing = replaced(second.ids, kinds, () => Bun.randomUUIDv7())
    const mine = (ids: Ids) => kinds.map((kind) => ids[kind] ?? "")
    const answer = yield* ask(foreign)
    expect(said(answer, ...mine(foreign)), `${endpoint.name} with a foreign ${kinds.join(" and ")}`).toEqual(
      said(yield* ask(missing), ...mine(missing))
    )
    expect(statuses, answer.text).toContain(answer.status)
    expect(yield* rowsOf(first.org_id)).toEqual(before)
  })

const kindsOf = (parameters: Endpoint["pathParameters"]) => [
  ...new Set(parameters.flatMap(({ kind }) => (kind === undefined ? [] : [kind])))
]

layer(Tenants.layer)("another organization's things", (it) => {
  for (const endpoint of endpoints.filter(({ pathParameters }) => pathParameters.length > 0)) {
    it.effect(`${endpoint.method} ${endpoint.path} answers for their ids as for ids that do not exist`, () =>
      Effect.gen(function* () {
        const { second } = yield* Tenants
        pathOf(endpoint, second.ids)
        for (const kinds of choices(kindsOf(endpoint.pathParameters))) {
          const call = requestOf(endpoint, second.ids)
          yield* expectSame(
            endpoint,
            kinds,
            (ids) => send(endpoint, second.api_key, { ...call, path: pathOf(endpoint, ids) }),
            [404]
          )
        }
      })
    )
  }

  for (const endpoint of endpoints.filter((one) => one.authenticated && isMutating(one))) {
    it.effect(`${endpoint.method} ${endpoint.path} takes no id of theirs in its body or query`, () =>
      Effect.gen(function* () {
        const { second } = yield* Tenants
        const tried = new Set<string>()
        for (const request of requestsOf(endpoint, second.ids)) {
          const { json, text, query } = request
          const sent = JSON.stringify([json, text, query])
          for (const kind of Object.keys(second.ids).filter((kind) => sent.includes(second.ids[kind] ?? ""))) {
            tried.add(kind)
            // One body for both requests, but for the id.
            const at = (ids: Ids): string => sent.replaceAll(second.ids[kind] ?? "", ids[kind] ?? "")
            yield* expectSame(
              endpoint,
              [kind],
              (ids) => {
                const [json, text, query] = JSON.parse(at(ids))
                return send(endpoint, second.api_key, {
                  ...request,
                  ...(json === null ? {} : { json }),
                  ...(text === null ? {} : { text }),
                  ...(query === null ? {} : { query })
                })
              },
              // Where an id may stand for a name, none of either is found by it.
              endpoint.bodyIds.has(kind) || query !== undefined ? [404] : [404, 422]
            )
          }
        }
        const untried = [...endpoint.bodyIds].filter((kind) => !tried.has(kind))
        if (isCreating(endpoint)) {
          expect(untried, `let the sample of ${endpoint.name} in test/support/Population.ts hold these ids`).toEqual([])
        }
      })
    )
  }

  for (const endpoint of endpoints.filter(({ method, authenticated }) => method === "GET" && authenticated)) {
    for (const { name, kind } of endpoint.queryParameters) {
      if (kind === undefined) continue
      it.effect(`GET ${endpoint.path}?${name}= finds nothing of theirs`, () =>
        Effect.flatMap(Tenants, ({ second }) =>
          expectSame(
            endpoint,
            [kind],
            (ids) =>
              send(endpoint, second.api_key, {
                path: pathOf(endpoint, second.ids),
                query: { [name]: ids[kind] ?? "" }
              }),
            [200]
          )
        )
      )
    }

    it.effect(`GET ${endpoint.path} shows nothing of theirs, and everything to themselves`, () =>
      Effect.gen(function* () {
        const { first, second } = yield* Tenants
        const answer = yield* send(endpoint, second.api_key, requestOf(endpoint, second.ids))
        expect(answer.status, answer.text).toBe(200)
        for (const [kind, id] of Object.entries(first.ids)) expect(answer.text, `a ${kind} of theirs`).not.toContain(id)
        const own = yield* send(endpoint, first.api_key, requestOf(endpoint, first.ids))
        expect(own.status, own.text).toBe(200)
      })
    )
  }

  it.effect("a path parameter of a kind that no test knows fails, and says what to add", () =>
    Effect.gen(function* () {
      const { second } = yield* Tenants
      const [endpoint] = endpoints
      const unknown = { ...endpoint!, name: "planets.get", pathParameters: [{ name: "id", kind: "PlanetId" }] }
      expect(() => pathOf(unknown, second.ids)).toThrow(/planets\.get .*PlanetId.* add how one is made to `makers`/)
    })
  )
})

/** What changes a thing may leave its references as they are; what makes one may not. */
const isCreating = ({ method }: Endpoint) => method === "POST" || method === "PUT"
