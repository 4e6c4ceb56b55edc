import { SqlClient } from "@effect/sql"
import { DateTime, Effect, Schema } from "effect"
import type { OrganizationId } from "../domain/Ids.ts"
import type { Keyset as Position } from "../domain/Page.ts"
import { LogEntry, type LogQuery, type NewLogEntry } from "../domain/telemetry/LogEntry.ts"
import { Id } from "../platform/Id.ts"
import * as Keyset from "../platform/Keyset.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"

const Partitions = Schema.Struct({ made: Schema.Int, skipped: Schema.Array(Schema.String) })
const Positioned = Keyset.Positioned(LogEntry.fields)

/** Rows of `log_entries`. */
export class LogsRepo extends Effect.Service<LogsRepo>()("telemetry/LogsRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id

    const insert = (org_id: OrganizationId, entries: ReadonlyArray<NewLogEntry>) => {
      const rows = entries.map(({ timestamp, ...entry }) => ({
        id: id.next(),
        timestamp: timestamp === undefined ? null : DateTime.formatIso(timestamp),
        ...entry
      }))
      return orDefect(
        Effect.asVoid(sql`
          insert into log_entries (id, org_id, timestamp, event_type, severity, source, correlation_id, session_id, data)
          select e.id, ${org_id}::uuid, coalesce(e.timestamp, now()), e.event_type, e.severity, e.source,
            e.correlation_id, e.session_id, e.data
          from json_to_recordset(${JSON.stringify(rows)}::json) as e(id uuid, timestamp timestamptz, event_type text,
            severity text, source text, correlation_id text, session_id text, data jsonb)`)
      )
    }

    /** Newest first, by when they happened. */
    const list = (org_id: OrganizationId, query: LogQuery, keyset: Position | undefined) => {
      const { from, to, q, limit } = query
      const conditions = [
        sql`org_id = ${org_id}`,
        Keyset.after(sql, keyset),
        ...(["severity", "event_type", "session_id", "correlation_id", "source"] as const).flatMap((name) =>
          query[name] === undefined ? [] : [sql`${sql(name)} = ${query[name]}`]
        ),
        ...(from === undefined ? [] : [sql`created_at >= ${DateTime.toDate(from)}`]),
        ...(to === undefined ? [] : [sql`created_at < ${DateTime.toDate(to)}`]),
        ...(q === undefined ? [] : [sql`position(lower(${q}) in lower(event_type || ' ' || data::text)) > 0`])
      ]
      return Rows.all(
        Positioned,
        sql`select id, timestamp, event_type, severity, source, correlation_id, session_id, data, ${Keyset.position_at(sql)}
          from (select l.*, l.timestamp as created_at from log_entries l) l
          where ${sql.and(conditions)} order by created_at desc, id desc limit ${limit + 1}`
      )
    }

    /**
     * Makes the partitions of the last year and the next months, where they are missing. `skipped`: months whose
     * entries are, and stay, in the default partition.
     */
    const makePartitions = (months: number) =>
      // It may have many entries to read; set inside of the function, it would not be heeded.
      sql`set local statement_timeout = 0`.pipe(
        Effect.zipRight(Rows.one(Partitions, sql`select made, skipped from make_log_partitions(${months})`)),
        sql.withTransaction,
        orDefect
      )

    return { insert, list, makePartitions } as const
  })
}) {}
