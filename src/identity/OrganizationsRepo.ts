import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import { OrganizationId, UserId } from "../domain/Ids.ts"
import { Id } from "../platform/Id.ts"
import * as Rows from "../platform/Rows.ts"

const Row = Schema.Struct({ id: OrganizationId, slug: Schema.String, name: Schema.String })

/** Rows of `organizations`. */
export class OrganizationsRepo extends Effect.Service<OrganizationsRepo>()("identity/OrganizationsRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id

    const isEmpty = Effect.map(
      Rows.one(Schema.Struct({ empty: Schema.Boolean }), sql`select not exists (select from organizations) as empty`),
      ({ empty }) => empty
    )

    const insert = (organization: { readonly slug: string; readonly name: string }) =>
      Rows.one(
        Row,
        sql`insert into organizations ${sql.insert({ id: id.next(), ...organization })} returning id, slug, name`
      )

    const bySlug = (slug: string) => Rows.first(Row, sql`select id, slug, name from organizations where slug = ${slug}`)

    const firstOwner = (org_id: OrganizationId) =>
      Rows.first(
        Schema.Struct({ user_id: UserId }),
        sql`select user_id from memberships where org_id = ${org_id} and role = 'owner' order by created_at, id limit 1`
      )

    return { isEmpty, insert, bySlug, firstOwner } as const
  })
}) {}
