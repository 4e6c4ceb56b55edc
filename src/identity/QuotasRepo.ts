import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import { OrganizationId } from "../domain/Ids.ts"
import { QuotaKind, QuotaWindow } from "../domain/identity/Quota.ts"
import { Id } from "../platform/Id.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"

/** What of a window is used; `begins` is its first day, in UTC. */
export const Usage = Schema.Struct({
  org_id: OrganizationId,
  kind: QuotaKind,
  window: QuotaWindow,
  begins: Schema.String,
  used: Schema.Number
})
export type Usage = typeof Usage.Type

const Ceiling = Schema.Struct({
  org_id: OrganizationId,
  kind: QuotaKind,
  window: QuotaWindow,
  ceiling: Schema.NullOr(Schema.Number)
})
export type Ceiling = typeof Ceiling.Type

/** An amount that was used since the last time. */
export interface Amount {
  readonly org_id: OrganizationId
  readonly kind: QuotaKind
  readonly used: number
}

const Bytes = Schema.Struct({ used: Schema.Number })
const Organization = Schema.Struct({ id: OrganizationId })

/** Rows of `quotas` and `quota_usage`. */
export class QuotasRepo extends Effect.Service<QuotasRepo>()("identity/QuotasRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const today = sql`(now() at time zone 'utc')::date`
    const windows = sql`(values ('day', ${today}), ('month', date_trunc('month', ${today})::date)) as w("window", begins)`

    const ceilings = (org_ids: ReadonlyArray<OrganizationId>) =>
      Rows.all(Ceiling, sql`select org_id, kind, "window", ceiling from quotas where org_id = any(${org_ids}::uuid[])`)

    /** What is used of the windows that are open now. */
    const usage = (org_ids: ReadonlyArray<OrganizationId>) =>
      Rows.all(
        Usage,
        sql`select u.org_id, u.kind, u."window", u.begins::text, u.used from quota_usage u
          join ${windows} on w."window" = u."window" and w.begins = u.begins
          where u.org_id = any(${org_ids}::uuid[])`
      )

    /** Adds to the windows that are open now; organizations that are gone are passed over. */
    const add = (amounts: ReadonlyArray<Amount>) =>
      Rows.all(
        Usage,
        sql`insert into quota_usage as u (org_id, kind, "window", begins, used)
          select a.org_id, a.kind, w."window", w.begins, a.used
          from jsonb_to_recordset(${JSON.stringify(amounts)}::jsonb) as a(org_id uuid, kind text, used bigint)
          join organizations o on o.id = a.org_id cross join ${windows}
          order by a.org_id, a.kind, w."window"
          on conflict (org_id, kind, "window", begins) do update set used = u.used + excluded.used
          returning u.org_id, u.kind, u."window", u.begins::text, u.used`
      )

    /** Removes what was used in windows that nobody looks back to. */
    const forget = orDefect(Effect.asVoid(sql`delete from quota_usage where begins < ${today} - 400`))

    /** What the sessions of an organization weigh: counted where they are, so that nothing can drift. */
    const bytesStored = (org_id: OrganizationId) =>
      Effect.map(
        Rows.one(
          Bytes,
          sql`select coalesce(sum(size_bytes), 0)::bigint as used from sessions where org_id = ${org_id} and status <> 'REJECTED'`
        ),
        ({ used }) => used
      )

    const bySlug = (slug: string) => Rows.first(Organization, sql`select id from organizations where slug = ${slug}`)

    const set = ({ org_id, kind, window, ceiling }: Ceiling) =>
      Rows.one(
        Ceiling,
        sql`insert into quotas ${sql.insert({ id: id.next(), org_id, kind, window, ceiling })}
          on conflict (org_id, kind, "window") do update set ceiling = excluded.ceiling, updated_at = now()
          returning org_id, kind, "window", ceiling`
      )

    const unset = ({ org_id, kind, window }: Omit<Ceiling, "ceiling">) =>
      Rows.first(
        Ceiling,
        sql`delete from quotas where org_id = ${org_id} and kind = ${kind} and "window" = ${window}
          returning org_id, kind, "window", ceiling`
      )

    return { ceilings, usage, add, forget, bytesStored, bySlug, set, unset } as const
  })
}) {}
