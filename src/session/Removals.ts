import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import type { OrganizationId } from "../domain/Ids.ts"
import { Id } from "../platform/Id.ts"
import { ObjectStore } from "../platform/ObjectStore.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"

const Removal = Schema.Struct({ id: Schema.String, prefix: Schema.String })
export type Removal = typeof Removal.Type

/** Objects whose rows are gone: noted in the rows' own transaction, removed after it. */
export class Removals extends Effect.Service<Removals>()("session/Removals", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const store = yield* ObjectStore

    /** Notes a prefix; call it in the transaction that removes the rows. */
    const note = (org_id: OrganizationId, prefix: string) =>
      Rows.one(
        Removal,
        sql`insert into object_removals ${sql.insert({ id: id.next(), org_id, prefix })} returning id, prefix`
      )

    /** Removes the objects and then the note. What fails stays noted, and is tried again by the collector. */
    const carryOut = (removal: Removal) =>
      Effect.zipRight(
        store.removePrefix(removal.prefix),
        orDefect(Effect.asVoid(sql`delete from object_removals where id = ${removal.id}`))
      ).pipe(
        Effect.catchAllCause((cause) =>
          Effect.logWarning(`objects below ${removal.prefix} are left to the collector`, cause)
        )
      )

    const noted = Rows.all(Removal, sql`select id, prefix from object_removals order by created_at limit 1000`)

    return { note, carryOut, noted } as const
  })
}) {}
