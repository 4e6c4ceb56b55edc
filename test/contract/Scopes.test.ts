import { describe, expect, it, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { Role, Scope } from "../../src/domain/Principal.ts"
import { type Answer, type Endpoint, endpoints, isMutating, send } from "../support/Contract.ts"
import { type Caller, key, member, organization } from "../support/Organizations.ts"
import { type Ids, isEnding, pathOf, populate, requestOf, sampleOf, worldOf } from "../support/Population.ts"
import { TestServer } from "../support/TestServer.ts"

/** What anybody may ask. A new endpoint without authentication has to be added here, knowingly. */
const open = [
  "GET /",
  // How to get a credential, and what verifies one.
  "GET /.well-known/jwks.json",
  "GET /.well-known/oauth-protected-resource",
  "GET /.well-known/oauth-protected-resource/bridge/mcp",
  "GET /.well-known/oauth-protected-resource/mcp",
  "GET /health",
  "GET /live",
  "GET /metrics",
  "GET /openapi.json",
  "GET /ready",
  "GET /redoc",
  "GET /v1/info",
  // What they are sent is the credential.
  "POST /auth/refresh",
  "POST /auth/revoke",
  "POST /auth/token",
  // The signature in the URL is the credential.
  "PUT /v1/uploads/direct/:id/part"
]

const guarded = endpoints.filter(({ authenticated }) => authenticated)

const named = ({ method, path }: Endpoint) => `${method} ${path}`

const concrete = Scope.literals.filter((scope) => scope !== "*")

/** What changes nothing of the organization that the credential is of, but what its user is elsewhere. */
const ofOneself = ["POST /v1/invitations/accept"]

/** What a role's scope is not enough for. */
const forOwners = ["DELETE /v1/organizations/:id"]

/** What belongs to those who run the organization. */
const forAdmins: ReadonlyArray<Scope> = ["agents:write", "audit:read", "organizations:write", "users:write"]

/** What a role may not do, whatever its key says. */
const isBeyond = (role: Role, scope: Scope): boolean =>
  (role === "viewer" && !scope.endsWith(":read")) || (forAdmins.includes(scope) && !["admin", "owner"].includes(role))

const problem = ({ json }: Answer) => Object(json)

/** Its answers have no body. */
const isHead = ({ method }: Endpoint) => method === "HEAD"

interface World {
  readonly owner: Caller
  readonly ids: Ids
}

class Owner extends Context.Tag("test/Owner")<Owner, World>() {
  static readonly layer = Layer.effect(
    Owner,
    Effect.gen(function* () {
      const owner = yield* organization()
      return { owner, ids: yield* populate(owner) }
    })
  ).pipe(Layer.provideMerge(TestServer.layer()))
}

describe("the contract", () => {
  it("opens to everybody only what is listed here", () => {
    expect(
      endpoints
        .filter(({ authenticated }) => !authenticated)
        .map(named)
        .sort()
    ).toEqual(open)
  })

  it("names the scope of every authenticated endpoint, and of no other", () => {
    for (const endpoint of endpoints) {
      expect(endpoint.scope !== undefined, named(endpoint)).toBe(endpoint.authenticated)
    }
  })

  it("asks for more than reading wherever something is changed", () => {
    for (const endpoint of guarded.filter(isMutating)) {
      if (!ofOneself.includes(named(endpoint))) expect(endpoint.scope, named(endpoint)).not.toMatch(/:read$/)
    }
  })
})

layer(Owner.layer)("a credential's reach", (it) => {
  for (const endpoint of guarded) {
    const scope = endpoint.scope ?? "*"

    it.effect(`${named(endpoint)} without a credential is a 401 that says how to authenticate`, () =>
      Effect.gen(function* () {
        const { ids } = yield* Owner
        const answer = yield* send(endpoint, null, requestOf(endpoint, ids))
        expect(answer.status).toBe(401)
        expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer /)
        if (isHead(endpoint)) return
        expect(problem(answer)).toMatchObject({ code: "unauthorized", status: 401, _tag: "Unauthorized" })
      })
    )

    it.effect(`${named(endpoint)} with every scope but ${scope} is a 403 that names it`, () =>
      Effect.gen(function* () {
        const { owner, ids } = yield* Owner
        const { api_key } = yield* key(owner, { scopes: concrete.filter((one) => one !== scope) })
        const answer = yield* send(endpoint, api_key, requestOf(endpoint, ids))
        expect(answer.status, answer.text).toBe(403)
        if (isHead(endpoint)) return
        expect(problem(answer)).toMatchObject({ code: "forbidden", detail: expect.stringContaining(scope) })
      })
    )

    it.effect(`${named(endpoint)} with ${scope} alone is let in`, () =>
      Effect.gen(function* () {
        const shared = yield* Owner
        const { caller: owner, ids } = isEnding(endpoint)
          ? yield* worldOf(endpoint)
          : { caller: shared.owner, ids: shared.ids }
        const { api_key } = yield* key(owner, { scopes: [scope] })
        const answer = yield* send(endpoint, api_key, yield* sampleOf(endpoint, ids, owner))
        expect(answer.status, answer.text).toBeLessThan(400)
      })
    )

    for (const role of Role.literals) {
      const beyond = isBeyond(role, scope) || (forOwners.includes(named(endpoint)) && role !== "owner")
      it.effect(`${named(endpoint)} is ${beyond ? "refused to" : "open to"} a ${role} whose key has every scope`, () =>
        Effect.gen(function* () {
          const { owner, ids } = yield* Owner
          const { api_key } = yield* member(owner.org_id, { role, scopes: ["*"] })
          const answer = yield* send(endpoint, api_key, yield* sampleOf(endpoint, ids, owner))
          if (beyond) expect(answer.status, answer.text).toBe(403)
          else expect([401, 403], answer.text).not.toContain(answer.status)
        })
      )
    }
  }
})

/** Kinds of things that belong to one suite. */
const ofSuite = ["SuiteId", "SessionId", "UploadId", "DirectUploadId", "ActionId", "ActionToolMapId", "ExampleId"]

const reaches = (endpoint: Endpoint) =>
  endpoint.pathParameters.some(({ kind }) => kind !== undefined && ofSuite.includes(kind))

layer(Owner.layer)("a key that is restricted to some suites", (it) => {
  for (const endpoint of guarded.filter(reaches)) {
    it.effect(`${named(endpoint)} answers for other suites as if they were not there`, () =>
      Effect.gen(function* () {
        const { owner, ids } = yield* Owner
        const others = yield* populate(owner)
        const { api_key } = yield* key(owner, { suite_ids: [ids["SuiteId"] ?? ""] })
        const refused = yield* send(endpoint, api_key, {
          ...requestOf(endpoint, others),
          path: pathOf(endpoint, others)
        })
        expect(refused.status, refused.text).toBe(404)
        const allowed = yield* send(endpoint, api_key, yield* sampleOf(endpoint, ids, owner))
        // What is made for this test alone may be a suite of its own, which the key does not reach.
        expect([401, 403], allowed.text).not.toContain(allowed.status)
      })
    )
  }

  it.effect("lists only these suites, and the sessions that belong to them", () =>
    Effect.gen(function* () {
      const { owner, ids } = yield* Owner
      const others = yield* populate(owner)
      const { api_key } = yield* key(owner, { suite_ids: [ids["SuiteId"] ?? ""] })
      for (const [name, kind] of [
        ["suites.list", "SuiteId"],
        ["sessions.list", "SessionId"]
      ] as const) {
        const endpoint = endpoints.find((one) => one.name === name)
        if (endpoint === undefined) throw new Error(`the contract has no ${name}`)
        const listed: ReadonlyArray<{ readonly id: string }> = problem(yield* send(endpoint, api_key)).items
        expect(listed.map(({ id }) => id)).toEqual([ids[kind]])
        const all: ReadonlyArray<{ readonly id: string }> = problem(
          yield* send(endpoint, owner.api_key, { query: { limit: "100" } })
        ).items
        expect(all.map(({ id }) => id)).toEqual(expect.arrayContaining([ids[kind], others[kind]]))
      }
    })
  )

  it.effect("cannot upload to another suite, nor make a suite", () =>
    Effect.gen(function* () {
      const { owner, ids } = yield* Owner
      const others = yield* populate(owner)
      const { api_key } = yield* key(owner, { suite_ids: [ids["SuiteId"] ?? ""] })
      const answered = (name: string, about: Ids) => {
        const endpoint = endpoints.find((one) => one.name === name)
        if (endpoint === undefined) throw new Error(`the contract has no ${name}`)
        return Effect.map(send(endpoint, api_key, requestOf(endpoint, about)), ({ status }) => status)
      }
      expect(yield* answered("sessions.create", others)).toBe(404)
      expect(yield* answered("sessions.create", ids)).toBe(201)
      expect(yield* answered("suites.create", ids)).toBe(403)
    })
  )
})
