import { Effect } from "effect"
import Pg from "pg"
import { eventually } from "./Eventually.ts"
import type { TestDatabase } from "./TestDatabase.ts"

/** A lock of the database's that nobody else uses. */
const KEY = 77_000_001

/** What is stopped: a write of one of these kinds waits in the database until the gate opens. */
export type Stop =
  /** An example's row is told that this stage begins. */
  | { readonly stage: string }
  /** An example's row is told this status. */
  | { readonly status: string }
  /** The outcome of this stage is noted, so that it is not done again; of examples, or of another workflow. */
  | { readonly noted: string; readonly workflow?: string }
  /** The outcome of the whole workflow is noted. */
  | "ended"

export interface Gate {
  /** Waits until a write stands before the gate. */
  readonly reached: Effect.Effect<void>
  /** What stands before the gate never happens: the database ends it. */
  readonly refuse: Effect.Effect<void>
  /** What stands before the gate happens now, whoever wanted it may be dead. */
  readonly pass: Effect.Effect<void>
}

const quoted = (text: string) => `'${text}'`

const trigger = (stop: Stop): string => {
  if (stop === "ended")
    return "before insert on cluster_replies for each row execute function stop_here('Example', 'run', '')"
  if ("noted" in stop) {
    const given = [stop.workflow ?? "Example", "activity", stop.noted].map(quoted).join(", ")
    return `before insert on cluster_replies for each row execute function stop_here(${given})`
  }
  const [column, value] = "stage" in stop ? ["stage", stop.stage] : ["status", stop.status]
  return `before update on examples for each row when (new.${column} = ${quoted(value)}) execute function stop_here()`
}

const stopHere = `
  create or replace function stop_here() returns trigger language plpgsql as $$
  begin
    if tg_nargs = 0 then
      perform pg_advisory_xact_lock(${KEY});
    elsif exists (
      select from cluster_messages where id = new.request_id and entity_type = 'Workflow/' || tg_argv[0] and tag = tg_argv[1]
        and (tg_argv[2] = '' or payload::jsonb->>'name' = tg_argv[2])
    ) then
      perform pg_advisory_xact_lock(${KEY});
    end if;
    return new;
  end $$`

/** A gate in the database, which the service knows nothing of. It is gone once it was passed or refused. */
export const gate = (database: TestDatabase, stop: Stop) =>
  Effect.gen(function* () {
    const client = new Pg.Client({ connectionString: database.owner })
    const query = (text: string) => Effect.promise(() => client.query(text))
    yield* Effect.acquireRelease(
      Effect.promise(() => client.connect()),
      () => Effect.promise(() => client.end())
    )
    yield* query(`select pg_advisory_lock(${KEY})`)
    yield* query(stopHere)
    yield* query(`create trigger stop_here ${trigger(stop)}`)
    const waiting = Effect.map(
      query(
        `select pid from pg_locks where locktype = 'advisory' and objid = ${KEY} and not granted
          and database = (select oid from pg_database where datname = current_database())`
      ),
      ({ rows }) => rows.map(({ pid }) => Number(pid))
    )
    const table = stop === "ended" || "noted" in stop ? "cluster_replies" : "examples"
    const open = Effect.gen(function* () {
      yield* query(`select pg_advisory_unlock(${KEY})`)
      yield* eventually(waiting, (pids) => pids.length === 0)
      yield* query(`drop trigger stop_here on ${table}`)
    })
    return {
      reached: Effect.gen(function* () {
        const pids = yield* eventually(waiting, (found) => found.length > 0)
        if (pids.length === 0) throw new Error(`nothing came to ${JSON.stringify(stop)}`)
      }),
      refuse: Effect.gen(function* () {
        const pids = yield* waiting
        yield* Effect.promise(async () => {
          const admin = new Pg.Client({ connectionString: database.admin })
          await admin.connect()
          await admin.query("select pg_terminate_backend(pid) from unnest($1::int[]) as pid", [pids])
          await admin.end()
        })
        yield* open
      }),
      pass: open
    } satisfies Gate
  })
