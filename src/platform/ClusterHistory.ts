import { SqlClient } from "@effect/sql"
import { Duration, Effect, Schema } from "effect"
import * as Rows from "./Rows.ts"

/** The most workflows that one statement forgets. */
const atOnce = 1000

const Waiting = Schema.Struct({ kind: Schema.String, count: Schema.Int, oldest_s: Schema.Number })

/** What the cluster's tables tell of workflows: those that are not finished, and those that were long ago. */
export class ClusterHistory extends Effect.Service<ClusterHistory>()("platform/ClusterHistory", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient

    /** By the name of the workflow: how many were begun and are not finished, and the age of the oldest, in seconds. */
    const unfinished = Rows.all(
      Waiting,
      // An id holds its moment, in milliseconds since 2025, above its lowest 22 bits.
      sql`select substr(entity_type, 10) as kind, count(*)::int as count,
          greatest(0, extract(epoch from now()) - (floor(min(id) / 4194304) / 1000 + 1735689600))::float8 as oldest_s
        from cluster_messages where tag = 'run' and not processed and entity_type like 'Workflow/%' group by 1`
    )

    /** Forgets some of the workflows, and turns of crons, that ended so long ago; answers how many. */
    const forgetSome = (older_than: Duration.Duration) =>
      Effect.map(
        Rows.one(
          Schema.Struct({ count: Schema.Int }),
          sql`with ended as (
              select m.entity_type, m.entity_id from cluster_messages m
                join cluster_replies r on r.request_id = m.request_id and r.kind = 0
              where m.tag = 'run' and m.processed
                and m.last_read < localtimestamp - ${`${Duration.toMillis(older_than)} milliseconds`}::interval
                and (m.entity_type like 'ClusterCron/%' or (m.entity_type like 'Workflow/%'
                  and r.payload::jsonb->'value'->>'_tag' is distinct from 'Suspended'))
              order by m.last_read limit ${atOnce}),
            messages as (
              delete from cluster_messages m using ended e
              where m.entity_id = e.entity_id and (m.entity_type = e.entity_type or m.entity_type = 'Workflow/-/DurableClock')
              returning m.request_id),
            replies as (delete from cluster_replies r using messages m where r.request_id = m.request_id)
            select count(*)::int as count from ended`
        ),
        ({ count }) => count
      )

    /**
     * Forgets the messages and replies of workflows that ended before. What they came to stands on rows of
     * their own; nobody begins them again.
     */
    const forget = Effect.fn("ClusterHistory.forget")(function* (older_than: Duration.Duration) {
      let forgotten = 0
      for (;;) {
        const some = yield* forgetSome(older_than)
        forgotten += some
        if (some < atOnce) return forgotten
      }
    })

    return { unfinished, forget } as const
  })
}) {}
