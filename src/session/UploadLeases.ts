import { SqlClient } from "@effect/sql"
import { Clock, Duration, Effect, Schedule, Schema, Scope } from "effect"
import type { OrganizationId, SessionId } from "../domain/Ids.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { UploadTimes } from "./UploadTimes.ts"

const interval = (duration: Duration.Duration) => `${Duration.toMillis(duration)} milliseconds`

const Named = Schema.Struct({ id: Schema.String })

/** Milliseconds on the clock that cannot be set, and on the one on the wall. */
const clocks = Effect.zipWith(
  Clock.currentTimeNanos,
  Clock.currentTimeMillis,
  (nanos, wall) => [Number(nanos / 1_000_000n), wall] as const
)

/** An upload that is under way. */
interface Held {
  /** When its lease has to be taken or renewed next, on the clock that cannot be set. */
  due: number
  readonly beat: Effect.Effect<void>
}

/**
 * Says, for uploads that take long, that they are alive. Every node's collector asks here before it
 * removes the objects of a session that has no row. A lease that has ended is never taken up again:
 * what a collector once held to be dead stays so.
 */
export class UploadLeases extends Effect.Service<UploadLeases>()("session/UploadLeases", {
  scoped: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const times = yield* UploadTimes
    const lease_ms = Duration.toMillis(times.lease)
    const quiet_ms = Duration.toMillis(times.quiet)
    const renew_ms = Duration.toMillis(times.renew)
    const live = new Set<Held>()

    // One fiber for all: most uploads are over before they need a lease, and a fiber each would cost
    // small ones more than their reading.
    const beatAll = Effect.gen(function* () {
      const [now] = yield* clocks
      const due = [...live].filter((held) => held.due <= now)
      for (const held of due) held.due = now + renew_ms
      yield* Effect.forEach(due, (held) => held.beat, { concurrency: 8, discard: true })
    })
    const often = Duration.millis(Math.min(quiet_ms, renew_ms) / 10)
    yield* Effect.forkScoped(Effect.repeat(beatAll, Schedule.spaced(often)))

    /** False when the lease had ended before: then it stays so. */
    const renew = (id: SessionId, org_id: OrganizationId) =>
      Effect.map(
        Rows.first(
          Named,
          sql`insert into upload_leases (id, org_id, lease_until)
            values (${id}, ${org_id}, now() + ${interval(times.lease)}::interval)
            on conflict (id) do update set lease_until = excluded.lease_until, updated_at = now()
              where upload_leases.lease_until > now()
            returning id`
        ),
        (row) => row !== undefined
      )

    // Not deleted: a commit may be on its way still, and the collector waits its margin from here on.
    const release = (id: SessionId) =>
      orDefect(
        Effect.asVoid(sql`update upload_leases set lease_until = now() where id = ${id} and lease_until > now()`)
      )

    /**
     * Holds a lease for as long as the scope is open, from the moment on that the upload turns out to
     * take long. Answers a check to be made right before the rows are written: false when the upload
     * has not been alive all the time and a collector may have been at work.
     */
    const hold = (id: SessionId, org_id: OrganizationId) =>
      Effect.gen(function* () {
        const begun = yield* clocks
        /** A row may be there. */
        let asked = false
        /** Whether the row was there the last time; from then on it tells whether the upload is alive. */
        let leased: boolean | undefined
        // Both clocks, for one of them stops while the machine sleeps and the other can be set.
        const isYoung = Effect.map(clocks, (now) => now.every((at, which) => at - (begun[which] ?? 0) < lease_ms))
        const renewed = Effect.gen(function* () {
          if (leased === false || (leased === undefined && !(yield* isYoung))) return false
          asked = true
          leased = yield* renew(id, org_id)
          return leased
        })
        const beat = Effect.catchAllDefect(renewed, (defect) =>
          Effect.as(Effect.logWarning("could not renew an upload's lease; trying again", defect), true)
        )
        const held: Held = {
          due: begun[0] + quiet_ms,
          beat: Effect.map(beat, (alive) => {
            if (!alive) live.delete(held)
          })
        }
        live.add(held)
        // The scope's own: the one of `Effect` brings the fiber's state along, which costs more than the finalizer.
        yield* Scope.addFinalizer(
          yield* Effect.scope,
          Effect.suspend(() => {
            live.delete(held)
            // A lease that stays behind ends by itself.
            return asked ? Effect.catchAllDefect(release(id), () => Effect.void) : Effect.void
          })
        )
        return Effect.suspend(() => (leased === undefined ? isYoung : renewed))
      })

    /** Of the given ids those that no session row and no lease speaks for, and none did lately. */
    const orphans = (ids: ReadonlyArray<string>) =>
      Effect.map(
        Rows.all(
          Named,
          sql`select u.id::text as id from unnest(${ids}::uuid[]) as u(id)
            where not exists (select from sessions s where s.id = u.id)
              and not exists (select from upload_leases l
                where l.id = u.id and l.lease_until > now() - ${interval(times.margin)}::interval)`
        ),
        (rows) => rows.map(({ id }) => id)
      )

    const forgetEnded = orDefect(
      Effect.asVoid(
        sql`delete from upload_leases where lease_until < now() - ${interval(times.margin)}::interval - interval '1 hour'`
      )
    )

    return { hold, orphans, forgetEnded } as const
  })
}) {}
