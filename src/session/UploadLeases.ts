import { SqlClient } from "@effect/sql"
import { Clock, Duration, Effect, Schedule, Schema } from "effect"
import type { OrganizationId, SessionId } from "../domain/Ids.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"

/** An upload that ends sooner needs no lease: the collector leaves what is younger than `grace` alone. */
const quiet = Duration.seconds(10)
const renewEvery = Duration.seconds(15)
/** How long a lease holds without being renewed, and how old remains must be to be collected. */
export const grace = Duration.seconds(60)

const seconds = (duration: Duration.Duration) => `${Duration.toSeconds(duration)} seconds`

/**
 * Says, for uploads that take long, that they are alive. Every node's collector asks here before it
 * removes the objects of a session that has no row.
 */
export class UploadLeases extends Effect.Service<UploadLeases>()("session/UploadLeases", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient

    const renew = (id: SessionId, org_id: OrganizationId) =>
      orDefect(
        Effect.asVoid(sql`insert into upload_leases (id, org_id, lease_until)
          values (${id}, ${org_id}, now() + ${seconds(grace)}::interval)
          on conflict (id) do update set lease_until = excluded.lease_until, updated_at = now()`)
      )

    const release = (id: SessionId) => orDefect(Effect.asVoid(sql`delete from upload_leases where id = ${id}`))

    /**
     * Holds a lease for as long as the scope is open, from the moment on that the upload turns out to
     * take long. Answers a check to be made before the commit: false when the lease could not be
     * held and a collector may have been at work.
     */
    const hold = (id: SessionId, org_id: OrganizationId) =>
      Effect.gen(function* () {
        const started = yield* Clock.currentTimeMillis
        let renewed = started
        const beat = Effect.flatMap(Clock.currentTimeMillis, (now) =>
          Effect.map(renew(id, org_id), () => {
            renewed = now
          })
        ).pipe(
          Effect.catchAllDefect((defect) =>
            Effect.logWarning("could not renew an upload's lease; trying again", defect)
          )
        )
        yield* Effect.addFinalizer(() =>
          // A lease that stays behind ends by itself.
          renewed === started ? Effect.void : Effect.catchAllDefect(release(id), () => Effect.void)
        )
        yield* Effect.forkScoped(Effect.delay(Effect.repeat(beat, Schedule.spaced(renewEvery)), quiet))
        return Effect.map(Clock.currentTimeMillis, (now) => now - renewed < Duration.toMillis(grace))
      })

    /** Of the given ids those that no live lease and no session row speaks for. */
    const orphans = (ids: ReadonlyArray<string>) =>
      Effect.map(
        Rows.all(
          Schema.Struct({ id: Schema.String }),
          sql`select u.id::text as id from unnest(${ids}::uuid[]) as u(id)
            where not exists (select from sessions s where s.id = u.id)
              and not exists (select from upload_leases l where l.id = u.id and l.lease_until > now())`
        ),
        (rows) => rows.map(({ id }) => id)
      )

    const forgetEnded = orDefect(
      Effect.asVoid(sql`delete from upload_leases where lease_until < now() - interval '1 hour'`)
    )

    return { hold, orphans, forgetEnded } as const
  })
}) {}
