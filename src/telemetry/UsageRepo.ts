import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import type { Tenant } from "../domain/Principal.ts"
import { UsageFigures, UsageGroup, type UsageGrouping } from "../domain/telemetry/Usage.ts"
import * as Rows from "../platform/Rows.ts"

interface Range {
  readonly from: Date
  readonly to: Date
}

const Row = Schema.Struct({ ...UsageGroup.fields, ...UsageFigures.fields, is_total: Schema.Boolean })

/** What there is of sessions and examples, counted. */
export class UsageRepo extends Effect.Service<UsageRepo>()("telemetry/UsageRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const period = (unit: "day" | "hour") =>
      sql`to_char(date_trunc(${unit}, r.created_at at time zone 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`

    /** What a session (or its example) is counted under. */
    const keyOf = (group_by: UsageGrouping) => {
      switch (group_by) {
        case "day":
        case "hour":
          return { session: period(group_by), example: period(group_by) }
        case "user":
          return {
            session: sql`r.user_id::text`,
            example: sql`(select s.user_id from sessions s where s.id = r.session_id)::text`
          }
        case "suite":
          return { session: sql`r.suite_id::text`, example: sql`r.suite_id::text` }
        case "model":
          return { session: undefined, example: sql`r.model` }
      }
    }

    const nameOf = (group_by: UsageGrouping) => {
      switch (group_by) {
        case "user":
          return sql`(select u.display_name from users u where u.id::text = key)`
        case "suite":
          return sql`(select s.name from suites s where s.id::text = key)`
        case "model":
          return sql`key`
        default:
          return sql`null::text`
      }
    }

    /** The total of all, and then the groups, `limit` at most. */
    const read = ({ org_id, suite_ids }: Tenant, group_by: UsageGrouping, { from, to }: Range, limit: number) => {
      const visible = suite_ids === null ? sql`true` : sql.in("r.suite_id", suite_ids)
      const within = sql`r.org_id = ${org_id} and r.created_at >= ${from} and r.created_at < ${to} and ${visible}`
      const key = keyOf(group_by)
      const order = group_by === "day" || group_by === "hour" ? sql`key` : sql`sessions + examples desc, key`
      return Rows.all(
        Row,
        sql`with rows as (
            select ${key.session ?? sql`null::text`} as key, 1 as session, r.size_bytes as bytes, null as status,
              null::bigint as tokens_in, null::bigint as tokens_out, null::float8 as cost
            from sessions r where ${within} and ${key.session !== undefined}
            union all
            select ${key.example}, 0, 0, r.status, r.tokens_in, r.tokens_out, r.cost from examples r where ${within}
          ), counted as (
            select key, grouping(key) = 1 as is_total, count(*) filter (where session = 1) as sessions,
              coalesce(sum(bytes), 0)::bigint as bytes, count(status) as examples,
              json_build_object(
                'PENDING', count(*) filter (where status = 'PENDING'),
                'RUNNING', count(*) filter (where status = 'RUNNING'),
                'COMPLETED', count(*) filter (where status = 'COMPLETED'),
                'FAILED', count(*) filter (where status = 'FAILED'),
                'CANCELLED', count(*) filter (where status = 'CANCELLED')) as by_status,
              coalesce(sum(tokens_in), 0)::bigint as tokens_in, coalesce(sum(tokens_out), 0)::bigint as tokens_out,
              coalesce(sum(cost), 0)::float8 as cost
            from rows group by grouping sets ((key), ())
          )
          select key, ${nameOf(group_by)} as name, is_total, sessions, bytes, by_status as examples, tokens_in, tokens_out, cost
          from counted order by is_total desc, ${order} limit ${limit + 1}`
      )
    }

    return { read } as const
  })
}) {}
