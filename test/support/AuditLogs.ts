import { Effect } from "effect"
import { AuditSealer } from "../../src/identity/AuditSealer.ts"
import * as Checkpoint from "../../src/identity/audit/Checkpoint.ts"
import { Verification } from "../../src/identity/audit/Verification.ts"
import { asOwner } from "./AsOwner.ts"
import { eventually } from "./Eventually.ts"
import type { Caller } from "./Organizations.ts"
import { client, request, TestServer } from "./TestServer.ts"

/** Makes so many suites, each of which is an entry of the log, and waits until all of the log is sealed. */
export const acted = ({ org_id, api_key }: Pick<Caller, "org_id" | "api_key">, count: number) =>
  Effect.gen(function* () {
    const { suites } = yield* client(api_key)
    for (let at = 0; at < count; at++) {
      yield* suites.create({
        payload: { name: `suite ${crypto.randomUUID()}`, description: "", version: "", base_url: null }
      })
    }
    yield* sealed(org_id)
  })

/** Waits until all that the organization did is sealed. */
export const sealed = (org_id: string) =>
  Effect.gen(function* () {
    const { sql } = yield* TestServer
    const sealer = yield* AuditSealer
    const left = sql<{ count: number }>`select count(*)::int as count from audit_entries e
      where org_id = ${org_id} and not exists (select from audit_leaves l where l.entry_id = e.id)`
    const rows = yield* eventually(Effect.zipRight(sealer.seal(), left), ([found]) => found?.count === 0)
    if (rows[0]?.count !== 0) return yield* Effect.dieMessage("the log was not sealed")
  }).pipe(Effect.orDie)

const text = (path: string, api_key: string) =>
  Effect.flatMap(request(path, { api_key }), (response) => Effect.promise(() => response.text()))

/** The log as it is exported. */
export const exported = ({ api_key }: Pick<Caller, "api_key">) => text("/v1/audit/logs?format=jsonl", api_key)

/** The newest checkpoint, as its holder keeps it. */
export const checkpoint = ({ api_key }: Pick<Caller, "api_key">) =>
  Effect.map(text("/v1/audit/checkpoint", api_key), (body): { readonly note: string; readonly public_key: string } =>
    JSON.parse(body)
  )

const linesOf = (export_: string) => export_.split("\n").filter((line) => line !== "")

/** What the verification says of an export. */
export const differences = (
  export_: string,
  held: ReadonlyArray<{ readonly note: string }>,
  earlier = ""
): ReadonlyArray<string> => {
  const checking = new Verification(held.map(({ note }) => Checkpoint.fromNote(note)!))
  const [lines, before] = [linesOf(export_), linesOf(earlier)]
  for (let at = 0; at < Math.max(lines.length, before.length); at++) checking.line(lines[at], before[at])
  return checking.end().differences
}

const guarded = ["audit_entries", "audit_entries_default", "audit_leaves", "audit_personal", "audit_personal_default"]

/** What whoever owns the tables can do to the log, past all that refuses it. */
export const tamper = (...statements: ReadonlyArray<string>) =>
  asOwner(
    ...guarded.map((table) => `alter table ${table} disable trigger append_only`),
    ...statements,
    ...guarded.map((table) => `alter table ${table} enable trigger append_only`)
  )

/** The ids of the organization's entries, in the order of the log. */
export const order = (org_id: string) =>
  Effect.flatMap(
    TestServer,
    ({ sql }) => sql<{ id: string }>`select entry_id as id from audit_leaves where org_id = ${org_id} order by seq`
  ).pipe(
    Effect.map((rows) => rows.map(({ id }) => id)),
    Effect.orDie
  )
