import { SqlClient, type SqlError } from "@effect/sql"
import { Effect, Schema } from "effect"
import { type OrganizationId, UserId } from "../domain/Ids.ts"
import {
  type CreateOrganization,
  Organization,
  SlugTaken,
  type UpdateOrganization
} from "../domain/identity/Organization.ts"
import { Id } from "../platform/Id.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect, violates } from "../platform/SqlFailure.ts"

/** Rows of `organizations`. */
export class OrganizationsRepo extends Effect.Service<OrganizationsRepo>()("identity/OrganizationsRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const columns = sql`id, slug, name, settings, created_at, updated_at`

    const isEmpty = Effect.map(
      Rows.one(Schema.Struct({ empty: Schema.Boolean }), sql`select not exists (select from organizations) as empty`),
      ({ empty }) => empty
    )

    const slugged = (slug: string | undefined) =>
      Effect.mapError((error: SqlError.SqlError) =>
        violates(error, "organizations_slug_unique") ? new SlugTaken({ slug: String(slug) }) : error
      )

    /** jsonb takes an object as its text. */
    const rowOf = ({ settings, ...rest }: UpdateOrganization) =>
      settings === undefined ? rest : { ...rest, settings: JSON.stringify(settings) }

    const inserted = (organization: CreateOrganization) =>
      sql`insert into organizations ${sql.insert({ id: id.next(), ...rowOf(organization) })} returning ${columns}`

    const insert = (organization: CreateOrganization) => Rows.one(Organization, inserted(organization))

    /** The same, where there may be one of this slug. */
    const insertNew = (organization: CreateOrganization) =>
      Rows.one(Organization, slugged(organization.slug)(inserted(organization)))

    const find = (org_id: OrganizationId) =>
      Rows.first(Organization, sql`select ${columns} from organizations where id = ${org_id}`)

    /** The organization; until the transaction ends nobody else changes it, nor adds anything to it. */
    const lock = (org_id: OrganizationId) =>
      Rows.first(Organization, sql`select ${columns} from organizations where id = ${org_id} for update`)

    const update = (org_id: OrganizationId, change: UpdateOrganization) =>
      sql`update organizations set ${sql.update(rowOf(change))}, updated_at = now()
        where id = ${org_id} returning ${columns}`.pipe(slugged(change.slug), (query) =>
        Rows.first(Organization, query)
      )

    // In words, as the refusal tells them. What hangs on these goes with them; of a deleted server the row stays.
    const contents = [
      ["sessions", (org_id: OrganizationId) => sql`select 1 from sessions where org_id = ${org_id} limit 1`],
      ["uploads", (org_id: OrganizationId) => sql`select 1 from uploads where org_id = ${org_id} limit 1`],
      [
        "jobs under way",
        (org_id: OrganizationId) =>
          sql`select 1 from jobs where org_id = ${org_id} and status in ('PENDING', 'RUNNING') limit 1`
      ],
      [
        "MCP servers",
        (org_id: OrganizationId) =>
          sql`select 1 from mcp_servers where org_id = ${org_id} and deleted_at is null limit 1`
      ]
    ] as const

    /** The first kind of thing that an organization still has; undefined: none. */
    const holds = (org_id: OrganizationId) =>
      orDefect(
        Effect.gen(function* () {
          for (const [words, some] of contents) if ((yield* some(org_id)).length > 0) return words
          return undefined
        })
      )

    /** Removes the organization with all that is left of it: what {@link holds} names must be gone. */
    const remove = (org_id: OrganizationId) =>
      orDefect(
        Effect.zipRight(
          sql`delete from jobs where org_id = ${org_id}`,
          Effect.asVoid(sql`delete from organizations where id = ${org_id}`)
        )
      )

    const bySlug = (slug: string) =>
      Rows.first(Organization, sql`select ${columns} from organizations where slug = ${slug}`)

    const firstOwner = (org_id: OrganizationId) =>
      Rows.first(
        Schema.Struct({ user_id: UserId }),
        sql`select user_id from memberships where org_id = ${org_id} and role = 'owner' order by created_at, id limit 1`
      )

    return { isEmpty, insert, insertNew, find, lock, update, holds, remove, bySlug, firstOwner } as const
  })
}) {}
