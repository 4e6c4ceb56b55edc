import { StreamResponse } from "@a2a-js/sdk"
import { V03PushNotificationSerializer } from "@a2a-js/sdk/compat/v0_3/server"
import { V1PushNotificationSerializer } from "@a2a-js/sdk/server"
import { SqlClient } from "@effect/sql"
import { DateTime, Effect, FiberSet } from "effect"
import { Webhook } from "standardwebhooks"
import { holds } from "../domain/Principal.ts"
import { Audit } from "../identity/Audit.ts"
import { Standing } from "../identity/Standing.ts"
import { Egress } from "../platform/Egress.ts"
import { shown } from "../platform/egress/Guard.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { PushConfigs } from "./PushConfigs.ts"
import { type Claimed, type Event, type PushConfig, PushConfigsRepo } from "./PushConfigsRepo.ts"
import { isSigningSecret, PushSecrets, type Secrets } from "./PushSecrets.ts"
import { skills } from "./Skills.ts"
import { TasksRepo } from "./TasksRepo.ts"
import { taskOf } from "./Wire.ts"

/** Deliveries that one process has under way at a time. */
const CONCURRENCY = 32

/** How often a process looks for what others have queued. */
const EVERY_MS = 500
/** How long it is waited when the database did not answer that. */
const AGAIN_MS = 5000

/** For an answer; of a receiver that failed the last time less is waited for. */
const TIMEOUT_MS = 15_000
const IMPATIENT_MS = 5000

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

type Outcome =
  | { readonly kind: "delivered" }
  /** For good: the configuration is not in force any more. */
  | { readonly kind: "gone"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string }

const outcomeOf = (status: number): Outcome => {
  if (status >= 200 && status < 300) return { kind: "delivered" }
  return status === 410
    ? { kind: "gone", reason: "the receiver answered 410" }
    : { kind: "failed", reason: `it answered ${status}` }
}

/**
 * Delivers the events of tasks to the addresses that are configured for them: each at least once, those of
 * one configuration in their order, by whichever process has its lease. What a receiver does not take
 * is sent again, for a day; then that event is given up, and the next has its turn.
 */
export class PushDelivery extends Effect.Service<PushDelivery>()("a2p/PushDelivery", {
  dependencies: [
    PushConfigsRepo.Default,
    PushConfigs.Default,
    PushSecrets.Default,
    TasksRepo.Default,
    Standing.Default,
    Audit.Default
  ],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const repo = yield* PushConfigsRepo
    const configs = yield* PushConfigs
    const secretsOf = yield* PushSecrets
    const tasks = yield* TasksRepo
    const standing = yield* Standing
    const audit = yield* Audit
    const egress = yield* Egress

    /** Takes one out of force. */
    const dropped = (config: Claimed, detail: string) =>
      Effect.gen(function* () {
        if (!(yield* repo.drop(config))) return
        yield* audit.recordSystem(config.org_id, {
          action: "a2p_push_config.delete",
          resource: `a2p_push_config/${config.id}`,
          detail
        })
      }).pipe(sql.withTransaction, orDefect)

    /** Removes one that is not in force: its row last, as nothing else knows of its secrets. */
    const removed = (config: PushConfig) => Effect.zipRight(secretsOf.remove(config), repo.removeRow(config.id))

    /** Whether who made it may see now what is pushed: it has lost no right that the task's skill asks for. */
    const mayHave = ({ principal, skill }: Claimed) =>
      Effect.gen(function* () {
        const current = yield* standing.now(principal)
        if (current === undefined) return false
        const { scopes = [] } = skills.find(({ id }) => id === skill) ?? {}
        return ["a2p:use" as const, ...scopes].every((needed) => holds(current, needed))
      })

    /** As 0.3 has it, the whole task is pushed. */
    const serialized = ({ task_id, wire_version }: Claimed, event: StreamResponse) =>
      Effect.gen(function* () {
        const row = wire_version === "0.3" && task_id !== null ? yield* tasks.load(task_id) : undefined
        return serializers[wire_version].serialize(event, row && taskOf(row))
      })

    const attempt = (config: Claimed, { seq, event }: Event) =>
      Effect.gen(function* () {
        if (!(yield* mayHave(config))) return { kind: "gone", reason: "who made it may not have it any more" } as const
        const secrets = yield* secretsOf.get(config)
        if (secrets === undefined) return { kind: "gone", reason: "its secrets are gone" } as const
        const { body, contentType } = yield* serialized(config, StreamResponse.fromJSON(event))
        const headers = {
          "content-type": contentType,
          ...headersOf(config, secrets, seq, body, yield* DateTime.nowAsDate)
        }
        const response = yield* egress.request(
          config.url,
          { method: "POST", headers, body, redirect: "manual" },
          { timeout_ms: config.attempts === 0 ? TIMEOUT_MS : IMPATIENT_MS, streamed: true }
        )
        // What it says besides the status is not for us, nor whether it says it to the end.
        yield* Effect.ignore(Effect.tryPromise(async () => response.body?.cancel()))
        return outcomeOf(response.status)
      }).pipe(
        Effect.catchAll(({ message }) => Effect.succeed<Outcome>({ kind: "failed", reason: message })),
        // An event that cannot be sent at all waits as one that is not taken: it does not come up again at once.
        Effect.catchAllDefect((defect) =>
          Effect.as(Effect.logWarning(`event ${seq} of task ${config.task_id} could not be sent`, defect), {
            kind: "failed",
            reason: "it could not be sent: the service's log says why"
          } satisfies Outcome)
        )
      )

    /** The event stays the next, for a while. */
    const postponed = (config: Claimed, seq: number, reason: string) =>
      Effect.gen(function* () {
        const failure = yield* repo.failed(config, reason.slice(0, 500))
        if (failure === undefined) return
        if (failure.failing_s >= GIVEN_UP_AFTER_S) {
          const url = shown(new URL(config.url))
          yield* Effect.logWarning(`event ${seq} of task ${config.task_id} was not taken by ${url}: ${reason}`)
          yield* repo.done(config, seq, LEASE_S, reason.slice(0, 500))
          return yield* repo.release(config)
        }
        yield* repo.release(config, waitAfter(failure.attempts, Math.random()))
      })

    /** Delivers what is due of one configuration, and ends its lease. */
    const deliver = Effect.fn("PushDelivery.deliver")(function* (config: Claimed) {
      const { task_id } = config
      let { done_seq, attempts } = config
      for (let count = 0; count < IN_A_ROW; count++) {
        const next = task_id === null ? undefined : yield* repo.next(task_id, done_seq)
        if (next === undefined) break
        const outcome = yield* attempt({ ...config, attempts }, next)
        if (outcome.kind === "gone") return yield* dropped(config, outcome.reason)
        if (outcome.kind === "failed") return yield* postponed(config, next.seq, outcome.reason)
        // Who took over after this lease ended goes on from what it finds.
        if (!(yield* repo.done(config, next.seq, LEASE_S))) return
        done_seq = next.seq
        attempts = 0
      }
      yield* repo.release(config)
    })

    /** What is ended here is another's at once; what breaks off is so when its lease is over. */
    const undisturbed = (config: Claimed) =>
      deliver(config).pipe(
        Effect.onInterrupt(() => repo.release(config)),
        Effect.catchAllCause((cause) => Effect.logWarning("a push notification could not be delivered now", cause))
      )

    /** What fails is tried again when its lease is over. */
    const tidied = (config: PushConfig) =>
      Effect.catchAllCause(removed(config), (cause) =>
        Effect.logWarning("the secrets of a push configuration could not be removed now", cause)
      )

    /** Delivers on and on. */
    const run = Effect.gen(function* () {
      const under_way = yield* FiberSet.make<void>()
      const round = Effect.gen(function* () {
        const room = CONCURRENCY - (yield* FiberSet.size(under_way))
        const claimed = room === 0 ? [] : yield* repo.claim(room, LEASE_S)
        for (const config of claimed) yield* FiberSet.run(under_way, undisturbed(config))
        const left = room - claimed.length
        const orphans = left === 0 ? [] : yield* repo.claimOrphans(left, LEASE_S)
        for (const config of orphans) yield* FiberSet.run(under_way, tidied(config))
        if (claimed.length + orphans.length === 0) yield* configs.woken(EVERY_MS)
      })
      return yield* round.pipe(
        Effect.catchAllCause((cause) =>
          Effect.zipRight(Effect.logWarning("what is to be pushed could not be read", cause), Effect.sleep(AGAIN_MS))
        ),
        Effect.forever
      )
    }).pipe(Effect.scoped)

    return { run } as const
  })
}) {}
