import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { asOwner } from "../support/AsOwner.ts"
import { type Call, endpoints, isMutating, send } from "../support/Contract.ts"
import { type Caller, rowsOf } from "../support/Organizations.ts"
import { requestOf, sampleOf, worldOf } from "../support/Population.ts"
import { TestServer } from "../support/TestServer.ts"

const changing = endpoints.filter((endpoint) => endpoint.authenticated && isMutating(endpoint))

const entries = ({ org_id }: Caller) =>
  Effect.flatMap(
    TestServer,
    ({ sql }) => sql<{ actor: string; action: string; resource: string; request_id: string; personal: string }>`
      select e.actor, e.action, e.resource, e.request_id, k.user_id as personal from audit_entries e
        left join audit_personal p on p.entry_id = e.id left join data_keys k on k.id = p.key_id
      where e.org_id = ${org_id} order by e.at, e.id`
  ).pipe(Effect.orDie)

/** The files below the data folder that are objects of an organization, without checkpoints of the log itself. */
const objects = ({ org_id }: Caller) =>
  Effect.flatMap(TestServer, ({ data_dir }) =>
    Effect.promise(async () => {
      const found = await readdir(join(data_dir, "objects", "orgs", org_id), { recursive: true }).catch(() => [])
      return found.filter((path) => !path.startsWith("audit")).toSorted()
    })
  )

const withRequestId = (call: Call, request_id: string): Call => ({
  ...call,
  headers: { ...call.headers, "x-request-id": request_id }
})

/** The first of the ids replaced by one that nothing has. */
const missing = (call: Call): Call => {
  const [name] = Object.keys(call.path ?? {})
  return name === undefined ? call : { ...call, path: { ...call.path, [name]: Bun.randomUUIDv7() } }
}

layer(TestServer.layer())("the audit log", (it) => {
  for (const endpoint of changing) {
    const title = `${endpoint.method} ${endpoint.path}`

    it.effect(`${title} writes one entry, with who did what in which request`, () =>
      Effect.gen(function* () {
        const { caller, ids } = yield* worldOf(endpoint)
        const sample = yield* sampleOf(endpoint, ids, caller)
        const before = yield* entries(caller)
        const request_id = `audit-${crypto.randomUUID()}`
        const answer = yield* send(endpoint, caller.api_key, withRequestId(sample, request_id))
        expect(answer.status, answer.text).toBeLessThan(300)
        const written = (yield* entries(caller)).slice(before.length)
        expect(written).toEqual([
          {
            actor: `user/${caller.user_id}`,
            action: expect.stringMatching(/^[a-z_]+\.[a-z_]+$/),
            resource: expect.stringMatching(/^[a-z_]+\/[0-9a-f-]{36}$/),
            request_id,
            // Where it came from is encrypted with the key of who did it.
            personal: caller.user_id
          }
        ])
      })
    )

    it.effect(`${title} changes nothing when its entry cannot be written`, () =>
      Effect.gen(function* () {
        const { caller, ids } = yield* worldOf(endpoint)
        const sample = yield* sampleOf(endpoint, ids, caller)
        const before = [yield* rowsOf(caller.org_id), yield* objects(caller)]
        yield* asOwner(
          "create function deny() returns trigger language plpgsql as 'begin raise exception ''no entry''; end'",
          "create trigger deny before insert on audit_entries for each row execute function deny()"
        )
        const answer = yield* send(endpoint, caller.api_key, sample).pipe(
          Effect.ensuring(asOwner("drop trigger deny on audit_entries", "drop function deny"))
        )
        expect(answer.status, answer.text).toBe(500)
        expect([yield* rowsOf(caller.org_id), yield* objects(caller)]).toEqual(before)
      })
    )

    it.effect(`${title} writes nothing when it is refused`, () =>
      Effect.gen(function* () {
        const { caller, ids } = yield* worldOf(endpoint)
        const call = requestOf(endpoint, ids)
        const before = yield* rowsOf(caller.org_id)
        const refusals = [
          yield* send(endpoint, null, call),
          yield* send(endpoint, caller.api_key, {
            ...call,
            path: { id: "no-id", suite_id: "no-id", server_id: "no-id" },
            json: 1
          }),
          ...(endpoint.pathParameters.length > 0 ? [yield* send(endpoint, caller.api_key, missing(call))] : [])
        ]
        for (const { status, text } of refusals) {
          expect(status, text).toBeGreaterThanOrEqual(400)
          expect(status, text).toBeLessThan(500)
        }
        expect(yield* rowsOf(caller.org_id)).toEqual(before)
      })
    )
  }
})
