import { SqlClient, type Statement } from "@effect/sql"
import canonicalize from "canonicalize"
import { Effect } from "effect"
import type { OrganizationId, UserId } from "../domain/Ids.ts"
import { CurrentPrincipal, type Principal } from "../domain/Principal.ts"
import { RequestInfo } from "../domain/RequestInfo.ts"
import { Id } from "../platform/Id.ts"
import { orDefect } from "../platform/SqlFailure.ts"

/** What was done, and to what. Values are kept as digests only. */
export interface AuditEntry {
  /** `<resource>.<verb>`, such as `suite.create`. */
  readonly action: string
  /** `<kind>/<id>`. */
  readonly resource: string
  readonly before?: unknown
  readonly after?: unknown
}

/** SHA-256 over the canonical JSON (RFC 8785) of a value. */
const digest = (value: unknown): string | null => {
  const text = value === undefined ? undefined : canonicalize(JSON.parse(JSON.stringify(value)))
  return text === undefined ? null : new Bun.CryptoHasher("sha256").update(text).digest("hex")
}

const actor = (principal: Principal): string =>
  principal.user_id !== null ? `user/${principal.user_id}` : `agent/${principal.agent_id}`

/** Writes the audit log, in the transaction of what it records. */
export class Audit extends Effect.Service<Audit>()("identity/Audit", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id

    const insert = (
      org_id: OrganizationId,
      by: string,
      entry: AuditEntry,
      request: typeof RequestInfo.Service
    ): Statement.Statement<object> =>
      sql`insert into audit_entries ${sql.insert({
        id: id.next(),
        org_id,
        actor: by,
        action: entry.action,
        resource: entry.resource,
        before_digest: digest(entry.before),
        after_digest: digest(entry.after),
        request_id: request.request_id,
        ip: request.ip
      })}`

    /** The statement that writes the entry, for use inside a larger one. */
    const statement = (entry: AuditEntry) =>
      Effect.map(Effect.all([CurrentPrincipal, RequestInfo]), ([principal, request]) =>
        insert(principal.org_id, actor(principal), entry, request)
      )

    /** Writes the entry; call it inside the transaction of the change. */
    const record = (entry: AuditEntry) => Effect.flatMap(statement(entry), (query) => orDefect(Effect.asVoid(query)))

    /** Writes an entry of the service itself, such as the bootstrap. */
    const recordSystem = (org_id: OrganizationId, entry: AuditEntry) =>
      Effect.flatMap(RequestInfo, (request) => orDefect(Effect.asVoid(insert(org_id, "system", entry, request))))

    /** Writes what a user did to an organization that is not the one they act in, if they act in any. */
    const recordAs = (user_id: UserId, org_id: OrganizationId, entry: AuditEntry) =>
      Effect.flatMap(RequestInfo, (request) =>
        orDefect(Effect.asVoid(insert(org_id, `user/${user_id}`, entry, request)))
      )

    return { record, recordAs, recordSystem, statement } as const
  })
}) {}
