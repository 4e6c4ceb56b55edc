import { SqlClient, type Statement } from "@effect/sql"
import canonicalize from "canonicalize"
import { Effect, Layer, Schema } from "effect"
import { type OrganizationId, UserId } from "../domain/Ids.ts"
import { AuditTrail } from "../domain/identity/AuditTrail.ts"
import { CurrentPrincipal, type Principal } from "../domain/Principal.ts"
import { RequestInfo } from "../domain/RequestInfo.ts"
import { Id } from "../platform/Id.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import * as Personal from "./audit/Personal.ts"
import { DataKeys } from "./DataKeys.ts"
import type { KeyOwner } from "./DataKeysRepo.ts"

/** What was done, and to what. Values are kept as digests only. */
export interface AuditEntry {
  /** `<resource>.<verb>`, such as `suite.create`. */
  readonly action: string
  /** `<kind>/<id>`. */
  readonly resource: string
  readonly before?: unknown
  readonly after?: unknown
  /** Why, where something was refused; nothing personal, 500 characters at most. */
  readonly detail?: string
}

/** Who did it, and whose key what is personal in the entry is encrypted with. */
interface By {
  readonly org_id: OrganizationId
  readonly actor: string
  readonly owner: KeyOwner
}

/** SHA-256 over the canonical JSON (RFC 8785) of a value; with a key, as HMAC. */
const digest = (value: unknown, key?: Buffer): string | null => {
  const text = value === undefined ? undefined : canonicalize(JSON.parse(JSON.stringify(value)))
  return text === undefined ? null : new Bun.CryptoHasher("sha256", key).update(text).digest("hex")
}

const isUserId = Schema.is(UserId)

/** The person whom the values are about. */
const subjectOf = ({ resource, before, after }: AuditEntry): KeyOwner | undefined => {
  const id = resource.startsWith("user/") ? resource.slice("user/".length) : undefined
  return isUserId(id) && (before !== undefined || after !== undefined) ? { kind: "user", id } : undefined
}

/** What no person did is the organization's. */
const ofOrganization = (org_id: OrganizationId, actor: string): By => ({
  org_id,
  actor,
  owner: { kind: "organization", id: org_id }
})

const ofUser = (user_id: UserId, org_id: OrganizationId): By => ({
  org_id,
  actor: `user/${user_id}`,
  owner: { kind: "user", id: user_id }
})

const by = ({ org_id, user_id, agent_id }: Principal): By =>
  user_id === null ? ofOrganization(org_id, `agent/${agent_id}`) : ofUser(user_id, org_id)

/** Writes the audit log, in the transaction of what it records. */
export class Audit extends Effect.Service<Audit>()("identity/Audit", {
  dependencies: [DataKeys.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const keys = yield* DataKeys

    /** What is personal of the entry, encrypted; undefined where nothing is, or its owner is erased. */
    const sealed = (entry_id: string, { owner }: By, ip: string | null) =>
      ip === null
        ? Effect.succeed(undefined)
        : Effect.map(keys.of(owner), (key) =>
            key === undefined ? undefined : { key_id: key.id, ...Personal.seal({ ip }, key, entry_id, owner) }
          )

    /**
     * Digests of what was there before and after. Those of a person need the person's key: a name and an
     * address can be guessed, and the guess could be confirmed for ever.
     */
    const digests = (entry: AuditEntry) =>
      Effect.gen(function* () {
        const subject = subjectOf(entry)
        const key = subject === undefined ? undefined : (yield* keys.of(subject))?.key
        if (subject !== undefined && key === undefined) return { before_digest: null, after_digest: null }
        return { before_digest: digest(entry.before, key), after_digest: digest(entry.after, key) }
      })

    const insert = (who: By, entry: AuditEntry, request: typeof RequestInfo.Service) =>
      Effect.gen(function* () {
        const entry_id = id.next()
        const personal = yield* sealed(entry_id, who, request.ip)
        const row = sql`insert into audit_entries ${sql.insert({
          id: entry_id,
          org_id: who.org_id,
          actor: who.actor,
          action: entry.action,
          resource: entry.resource,
          ...(yield* digests(entry)),
          detail: entry.detail ?? null,
          request_id: request.request_id,
          personal_digest: personal?.digest ?? null
        })}`
        if (personal === undefined) return [row]
        const { key_id, ciphertext } = personal
        return [
          row,
          sql`insert into audit_personal ${sql.insert({ entry_id, org_id: who.org_id, key_id, ciphertext })}`
        ]
      })

    /** The statements that write the entry, each to be a part (`with … as`) of one larger statement. */
    const statements = (entry: AuditEntry) =>
      Effect.flatMap(Effect.all([CurrentPrincipal, RequestInfo]), ([principal, request]) =>
        insert(by(principal), entry, request)
      )

    const written = (parts: ReadonlyArray<Statement.Statement<object>>) => {
      const [row, personal] = parts
      const statement = personal === undefined ? row : sql`with personal as (${personal}) ${row}`
      return statement === undefined ? Effect.void : orDefect(Effect.asVoid(statement))
    }

    const write = (who: By, entry: AuditEntry) =>
      Effect.flatMap(RequestInfo, (request) => Effect.flatMap(insert(who, entry, request), written))

    /** Writes the entry; call it inside the transaction of the change. */
    const record = (entry: AuditEntry) => Effect.flatMap(CurrentPrincipal, (principal) => write(by(principal), entry))

    /** Writes an entry of the service itself, such as the bootstrap. */
    const recordSystem = (org_id: OrganizationId, entry: AuditEntry) => write(ofOrganization(org_id, "system"), entry)

    /** Writes what a user did to an organization that is not the one they act in, if they act in any. */
    const recordAs = (user_id: UserId, org_id: OrganizationId, entry: AuditEntry) =>
      write(ofUser(user_id, org_id), entry)

    /** Writes what was refused to somebody, who is a principal or claimed to be one. */
    const recordRefusal = (
      { org_id, actor, user_id }: Pick<By, "org_id" | "actor"> & { readonly user_id: UserId | null },
      entry: AuditEntry
    ) => write({ ...(user_id === null ? ofOrganization(org_id, actor) : ofUser(user_id, org_id)), actor }, entry)

    return { record, recordAs, recordRefusal, recordSystem, statements } as const
  })
}) {}

/** The log for those rooms that this one is built on. */
export const trail = Layer.effect(
  AuditTrail,
  Effect.map(Audit, ({ record }) => ({ record }))
).pipe(Layer.provide(Audit.Default))
