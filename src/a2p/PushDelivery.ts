import { StreamResponse } from "@a2a-js/sdk"
import { V03PushNotificationSerializer } from "@a2a-js/sdk/compat/v0_3/server"
import { V1PushNotificationSerializer } from "@a2a-js/sdk/server"
import { SqlClient } from "@effect/sql"
import { Effect, FiberSet } from "effect"
import { Webhook } from "standardwebhooks"
import { Audit } from "../identity/Audit.ts"
import { Egress } from "../platform/Egress.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { PushConfigs } from "./PushConfigs.ts"
import { type Claimed, PushConfigsRepo } from "./PushConfigsRepo.ts"
import { isSigningSecret, PushSecrets, type Secrets } from "./PushSecrets.ts"
import { TasksRepo } from "./TasksRepo.ts"
import { taskOf } from "./Wire.ts"

/** Deliveries that one process has under way at a time. */
const CONCURRENCY = 32

/** How often a process looks for what others have queued. */
const EVERY_MS = 500

const TIMEOUT_MS = 15_000

/** Longer than an attempt takes: then the process that had it is gone. */
const LEASE_S = 60

/** Events of one configuration before another gets its turn. */
const IN_A_ROW = 20

const FIRST_WAIT_S = 1
const LONGEST_WAIT_S = 3600
const GIVEN_UP_AFTER_S = 24 * 3600

/** Seconds until the next attempt: 1, 2, 4, up to an hour, each a fifth more or less. */
export const waitAfter = (attempts: number, random: number): number =>
  Math.min(FIRST_WAIT_S * 2 ** Math.min(attempts - 1, 30), LONGEST_WAIT_S) * (0.8 + 0.4 * random)

/** What an event is in the words of the version that the configuration was made with. */
const serializers = { "1.0": new V1PushNotificationSerializer(), "0.3": new V03PushNotificationSerializer() } as const

/** The signature of Standard Webhooks; a token of the caller's own is its key as it is. */
const webhookOf = ({ token }: Secrets) =>
  isSigningSecret(token) ? new Webhook(token) : new Webhook(token, { format: "raw" })

const headersOf = ({ id, scheme }: Claimed, secrets: Secrets, seq: number, body: string, now: Date) => {
  const webhook_id = `${id}-${seq}`
  return {
    "webhook-id": webhook_id,
    "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
    "webhook-signature": webhookOf(secrets).sign(webhook_id, now, body),
    ...(scheme === "" ? {} : { authorization: `${scheme} ${secrets.credentials}`.trimEnd() }),
    ...(isSigningSecret(secrets.token) ? {} : { "x-a2a-notification-token": secrets.token })
  }
}

type Outcome = { readonly kind: "delivered" | "gone" } | { readonly kind: "failed"; readonly reason: string }

const outcomeOf = (status: number): Outcome => {
  if (status >= 200 && status < 300) return { kind: "delivered" }
  return status === 410 ? { kind: "gone" } : { kind: "failed", reason: `it answered ${status}` }
}

/**
 * Delivers the events of tasks to the addresses that are configured for them: each at least once, those of
 * one configuration in their order, by whichever process has its lease. What a receiver does not take
 * is sent again, for a day; then that event is given up, and the next has its turn.
 */
export class PushDelivery extends Effect.Service<PushDelivery>()("a2p/PushDelivery", {
  dependencies: [PushConfigsRepo.Default, PushConfigs.Default, PushSecrets.Default, TasksRepo.Default, Audit.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const repo = yield* PushConfigsRepo
    const configs = yield* PushConfigs
    const secretsOf = yield* PushSecrets
    const tasks = yield* TasksRepo
    const audit = yield* Audit
    const egress = yield* Egress

    /** Removes one and its secrets. */
    const dropped = (config: Claimed, detail: string) =>
      Effect.gen(function* () {
        yield* secretsOf.remove(config)
        yield* Effect.zipRight(
          repo.removeRow(config.id),
          audit.recordSystem(config.org_id, {
            action: "a2p_push_config.delete",
            resource: `a2p_push_config/${config.id}`,
            detail
          })
        ).pipe(sql.withTransaction, orDefect)
      })

    /** As 0.3 has it, the whole task is pushed. */
    const serialized = ({ task_id, wire_version }: Claimed, event: StreamResponse) =>
      Effect.gen(function* () {
        const row = wire_version === "0.3" && task_id !== null ? yield* tasks.load(task_id) : undefined
        return serializers[wire_version].serialize(event, row && taskOf(row))
      })

    const attempt = (config: Claimed, seq: number, event: StreamResponse) =>
      Effect.gen(function* () {
        const secrets = yield* secretsOf.get(config)
        if (secrets === undefined) return { kind: "gone" } as const
        const { body, contentType } = yield* serialized(config, event)
        const headers = { "content-type": contentType, ...headersOf(config, secrets, seq, body, new Date()) }
        const response = yield* egress.request(
          config.url,
          { method: "POST", headers, body, redirect: "manual" },
          { timeout_ms: TIMEOUT_MS, streamed: true }
        )
        // What it says besides the status is not for us.
        yield* Effect.promise(async () => response.body?.cancel())
        return outcomeOf(response.status)
      }).pipe(Effect.catchAll(({ message }) => Effect.succeed<Outcome>({ kind: "failed", reason: message })))

    /** The event stays the next, for a while. */
    const postponed = (config: Claimed, seq: number, reason: string) =>
      Effect.gen(function* () {
        const failure = yield* repo.failed(config.id, reason.slice(0, 500))
        if (failure === undefined) return
        if (failure.failing_s >= GIVEN_UP_AFTER_S) {
          yield* Effect.logWarning(`event ${seq} of task ${config.task_id} was not taken by ${config.url}: ${reason}`)
          yield* repo.done(config.id, seq, LEASE_S, reason.slice(0, 500))
          return yield* repo.release(config.id)
        }
        yield* repo.release(config.id, waitAfter(failure.attempts, Math.random()))
      })

    /** Delivers what is due of one configuration, and ends its lease. */
    const deliver = Effect.fn("PushDelivery.deliver")(function* (config: Claimed) {
      const { task_id } = config
      if (task_id === null) return yield* dropped(config, "the task is gone")
      let done = config.done_seq
      for (let count = 0; count < IN_A_ROW; count++) {
        const next = yield* repo.next(task_id, done)
        if (next === undefined) break
        const outcome = yield* attempt(config, next.seq, StreamResponse.fromJSON(next.event))
        if (outcome.kind === "gone") return yield* dropped(config, "the receiver answered 410")
        if (outcome.kind === "failed") return yield* postponed(config, next.seq, outcome.reason)
        yield* repo.done(config.id, next.seq, LEASE_S)
        done = next.seq
      }
      yield* repo.release(config.id)
    })

    /** What is ended here is another's at once; what breaks off is so when its lease is over. */
    const undisturbed = (config: Claimed) =>
      deliver(config).pipe(
        Effect.onInterrupt(() => repo.release(config.id)),
        Effect.catchAllCause((cause) => Effect.logWarning("a push notification could not be delivered now", cause))
      )

    /** Delivers on and on. */
    const run = Effect.gen(function* () {
      const under_way = yield* FiberSet.make<void>()
      const round = Effect.gen(function* () {
        const room = CONCURRENCY - (yield* FiberSet.size(under_way))
        const claimed = room === 0 ? [] : yield* repo.claim(room, LEASE_S)
        for (const config of claimed) yield* FiberSet.run(under_way, undisturbed(config))
        if (claimed.length === 0) yield* configs.woken(EVERY_MS)
      })
      yield* round.pipe(
        Effect.catchAllCause((cause) =>
          Effect.zipRight(Effect.logWarning("what is to be pushed could not be read", cause), Effect.sleep(EVERY_MS))
        ),
        Effect.forever
      )
    }).pipe(Effect.scoped)

    return { run } as const
  })
}) {}
