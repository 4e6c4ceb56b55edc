import { SqlClient, type Statement } from "@effect/sql"
import { Effect, Schema } from "effect"
import { type OrganizationId, SessionId } from "../domain/Ids.ts"
import type { Principal } from "../domain/Principal.ts"
import { Id } from "../platform/Id.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"

/** Whose key: keys of different callers never meet. */
export interface KeyOwner {
  readonly org_id: OrganizationId
  readonly principal: string
  readonly key: string
}

/** The owner of a request's key; undefined where it has none. */
export const keyOwner = (principal: Principal, key: string | undefined): KeyOwner | undefined =>
  key === undefined
    ? undefined
    : { org_id: principal.org_id, principal: `user/${principal.user_id ?? principal.agent_id}`, key }

const Answered = Schema.Struct({ request_hash: Schema.String, id: SessionId })
export type Answered = typeof Answered.Type

/** Rows of `idempotency_keys`: which session answers which key. They are kept for a day. */
export class IdempotencyRepo extends Effect.Service<IdempotencyRepo>()("session/IdempotencyRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const owned = ({ org_id, principal, key }: KeyOwner) =>
      sql`org_id = ${org_id} and principal = ${principal} and key = ${key}`

    const find = (owner: KeyOwner) =>
      Rows.first(
        Answered,
        sql`select request_hash, response_body->>'id' as id from idempotency_keys
          where ${owned(owner)} and expires_at > now()`
      )

    /** Makes room for a key whose day is over. */
    const forgetExpired = (owner: KeyOwner) =>
      orDefect(Effect.asVoid(sql`delete from idempotency_keys where ${owned(owner)} and expires_at <= now()`))

    const insert = (owner: KeyOwner, answered: Answered): Statement.Statement<object> =>
      sql`insert into idempotency_keys (id, org_id, principal, key, request_hash, response_status, response_body, expires_at)
        values (${id.next()}, ${owner.org_id}, ${owner.principal}, ${owner.key}, ${answered.request_hash}, 201,
          jsonb_build_object('id', ${answered.id}::text), now() + interval '24 hours')`

    /** Within a transaction: whoever comes with the same key waits until it has ended. */
    const hold = ({ org_id, principal, key }: KeyOwner) =>
      orDefect(
        Effect.asVoid(sql`select pg_advisory_xact_lock(hashtextextended(${`${org_id} ${principal} ${key}`}, 0))::text`)
      )

    const forgetAllExpired = orDefect(Effect.asVoid(sql`delete from idempotency_keys where expires_at <= now()`))

    return { find, forgetExpired, insert, hold, forgetAllExpired } as const
  })
}) {}
