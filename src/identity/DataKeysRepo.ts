import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import type { OrganizationId, UserId } from "../domain/Ids.ts"
import { Id } from "../platform/Id.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"

/** Whose key: a person's, or an organization's for what no person did. */
export type KeyOwner =
  | { readonly kind: "user"; readonly id: UserId }
  | { readonly kind: "organization"; readonly id: OrganizationId }

const Row = Schema.Struct({
  id: Schema.String,
  wrapped: Schema.Uint8ArrayFromSelf,
  kek_version: Schema.Int,
  /** False: made in the transaction that asks, and gone should that be rolled back. */
  settled: Schema.Boolean
})

/** Rows of `data_keys`. */
export class DataKeysRepo extends Effect.Service<DataKeysRepo>()("identity/DataKeysRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const column = ({ kind }: KeyOwner) => sql(kind === "user" ? "user_id" : "org_id")

    const find = (owner: KeyOwner) =>
      Rows.first(
        Row,
        sql`select id, wrapped, kek_version, xid is distinct from pg_current_xact_id_if_assigned() as settled
          from data_keys where ${column(owner)} = ${owner.id} order by created_at, id limit 1`
      )

    /** One of all, if there is any. */
    const any = Rows.first(Row, sql`select id, wrapped, kek_version, true as settled from data_keys limit 1`)

    /**
     * Waits for nobody who makes one for the same owner at the same time: then there are two, and both hold.
     * False where the owner is not there, or was erased: that waits for an erasure that is going on.
     */
    const insert = (
      owner: KeyOwner,
      key: { readonly id: string; readonly wrapped: Buffer; readonly kek_version: number }
    ) =>
      Effect.map(
        orDefect(
          owner.kind === "user"
            ? sql`insert into data_keys (id, user_id, wrapped, kek_version)
                select ${key.id}::uuid, u.id, ${key.wrapped}, ${key.kek_version}::int
                from users u where u.id = ${owner.id} and u.erased_at is null for key share returning id`
            : sql`insert into data_keys (id, org_id, wrapped, kek_version)
                select ${key.id}::uuid, o.id, ${key.wrapped}, ${key.kek_version}::int
                from organizations o where o.id = ${owner.id} for key share returning id`
        ),
        (rows) => rows.length > 0
      )

    /** Drops every key of a person: what was encrypted with them is unreadable from then on. */
    const drop = (user_id: UserId) => orDefect(Effect.asVoid(sql`delete from data_keys where user_id = ${user_id}`))

    return { any, next: id.next, find, insert, drop } as const
  })
}) {}
