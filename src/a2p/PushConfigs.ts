import type { TaskPushNotificationConfig } from "@a2a-js/sdk"
import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { Issue, NotFound, Unavailable, ValidationError } from "../domain/Errors.ts"
import type { A2pTaskId, OrganizationId } from "../domain/Ids.ts"
import { CurrentPrincipal } from "../domain/Principal.ts"
import { Audit } from "../identity/Audit.ts"
import { Egress } from "../platform/Egress.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { type PushConfig, PushConfigsRepo } from "./PushConfigsRepo.ts"
import { isSigningSecret, isWellFormed, newSecret, PushSecrets } from "./PushSecrets.ts"
import type { Version } from "./Versions.ts"

/** Configurations of one task at most. */
const MAX_PER_TASK = 10

/** The task that something is configured for; who may see it was looked at before. */
interface OfTask {
  readonly id: A2pTaskId
  readonly org_id: OrganizationId
}

/** A configuration that was checked, and whose secrets are kept: it is in force once it is inserted. */
export interface Prepared {
  readonly row: Omit<PushConfig, "task_id">
}

const invalid = (path: string, message: string) =>
  new ValidationError({
    detail: `the push notification configuration is not valid: ${path}: ${message}`,
    errors: [new Issue({ path, message })]
  })

const visible = /^[\x21-\x7e]*$/
const scheme = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/
const idForm = /^[\x21-\x7e]{1,255}$/

const wrongIn = ({ id, url, token, authentication }: TaskPushNotificationConfig) => {
  if (id !== "" && !idForm.test(id)) return invalid("id", "must be 1 to 255 visible ASCII characters")
  if (url.length > 2048 || !URL.canParse(url)) return invalid("url", "must be a URL of 2048 characters at most")
  if (token.length > 1024 || !visible.test(token))
    return invalid("token", "must be at most 1024 visible ASCII characters")
  if (isSigningSecret(token) && !isWellFormed(token))
    return invalid("token", "whsec_ is to be followed by 24 to 64 bytes in base64")
  if (authentication === undefined) return undefined
  if (!scheme.test(authentication.scheme)) return invalid("authentication.scheme", "must be the name of an HTTP scheme")
  return authentication.credentials.length > 8192 || !/^[\x20-\x7e]*$/.test(authentication.credentials)
    ? invalid("authentication.credentials", "must be at most 8192 ASCII characters")
    : undefined
}

/** Without its secrets, which are told to nobody after it was made. */
const shownOf = (task_id: A2pTaskId, { config_id, url, scheme }: PushConfig): TaskPushNotificationConfig => ({
  tenant: "",
  taskId: task_id,
  id: config_id,
  url,
  token: "",
  authentication: scheme === "" ? undefined : { scheme, credentials: "" }
})

/**
 * Where the events of tasks are pushed to. Whoever calls this has made sure that the task is the
 * caller's. The address is checked now as it is for each delivery: through the egress guard.
 */
export class PushConfigs extends Effect.Service<PushConfigs>()("a2p/PushConfigs", {
  dependencies: [PushConfigsRepo.Default, PushSecrets.Default, Audit.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const repo = yield* PushConfigsRepo
    const secrets = yield* PushSecrets
    const audit = yield* Audit
    const egress = yield* Egress
    const latch = yield* Effect.makeLatch(false)

    const reachable = (url: string) =>
      egress.check(url).pipe(
        Effect.catchTags({
          EgressRefused: ({ message }) => invalid("url", message),
          EgressFailed: ({ message }) => invalid("url", message)
        })
      )

    const checked = (config: TaskPushNotificationConfig) =>
      Effect.gen(function* () {
        const wrong = wrongIn(config)
        if (wrong !== undefined) return yield* wrong
        yield* reachable(config.url)
      })

    /** The row before the secrets: whatever breaks off in between, who looks for orphans finds both. */
    const kept = (org_id: OrganizationId, config: TaskPushNotificationConfig, wire_version: Version) =>
      Effect.gen(function* () {
        const id = repo.nextId()
        const { url, token, authentication } = config
        const row = {
          id,
          org_id,
          config_id: config.id === "" ? id : config.id,
          url,
          scheme: authentication?.scheme ?? "",
          secret_ref: `a2p/push-configs/${id}`,
          wire_version
        }
        yield* repo.prepare(row, yield* CurrentPrincipal)
        yield* secrets.put(row, { token, credentials: authentication?.credentials ?? "" })
        return { row } satisfies Prepared
      })

    /**
     * Checks a configuration that came with a message, and keeps its secrets; nothing of it is in force
     * before it is inserted, and what is not inserted is forgotten by and by. It needs a token: a message's
     * answer is a task, which has no place for one that was made here. Call it before any transaction.
     */
    const prepare = Effect.fn("PushConfigs.prepare")(function* (
      org_id: OrganizationId,
      config: TaskPushNotificationConfig,
      wire_version: Version
    ) {
      if (config.token === "") {
        const hint =
          "is needed to check the signatures with: whsec_ and 24 to 64 bytes in base64, or a word of your own"
        return yield* invalid("token", hint)
      }
      yield* checked(config)
      return yield* kept(org_id, config, wire_version)
    })

    /** One that was prepared will not be inserted: it need not be waited for. */
    const abandon = ({ row }: Prepared) => repo.abandon(row.id)

    /**
     * Puts a prepared configuration in force, in the place of one with the same id; call it in a
     * transaction. It gets the events after the given one; else those that the one before had not yet
     * delivered, or those to come. The task is locked first, as by who writes its events: in one order.
     */
    const insert = (task_id: A2pTaskId, { row }: Prepared, after_seq?: number) =>
      Effect.gen(function* () {
        const task = yield* repo.lockTask(task_id)
        if (task === undefined) return yield* new NotFound({ detail: `there is no task ${task_id}` })
        const replaced = yield* repo.orphan(task_id, row.config_id)
        const done_seq = after_seq ?? replaced?.done_seq ?? task.last_seq
        if ((yield* repo.enforce(row.id, task_id, task.last_seq, done_seq)) === undefined)
          return yield* new Unavailable({
            detail: "the push notification configuration took too long; send it again",
            retry_after_s: 1
          })
        const others = yield* repo.ofTask(task_id)
        if (others.length > MAX_PER_TASK) return yield* invalid("taskId", `a task has ${MAX_PER_TASK} of them at most`)
        yield* audit.record({
          action: "a2p_push_config.create",
          resource: `a2p_push_config/${row.id}`,
          after: { ...row, task_id }
        })
      })

    /**
     * Makes or replaces a configuration of a task. The answer holds its token, this once: for one without
     * it is made here.
     */
    const set = Effect.fn("PushConfigs.set")(function* (
      { id, org_id }: OfTask,
      given: TaskPushNotificationConfig,
      wire_version: Version
    ) {
      const config = given.token === "" ? { ...given, token: newSecret() } : given
      yield* checked(config)
      const prepared = yield* kept(org_id, config, wire_version)
      yield* insert(id, prepared).pipe(
        sql.withTransaction,
        orDefect,
        Effect.tapErrorCause(() => abandon(prepared))
      )
      yield* latch.open
      return { ...shownOf(id, { ...prepared.row, task_id: id }), token: config.token }
    })

    /** One by its id; without one the oldest, as clients of 0.3 ask. */
    const get = Effect.fn("PushConfigs.get")(function* (task_id: A2pTaskId, config_id: string) {
      const found = (yield* repo.ofTask(task_id)).find((one) => config_id === "" || one.config_id === config_id)
      return found === undefined
        ? yield* new NotFound({ detail: `the task has no push notification configuration ${config_id}`.trimEnd() })
        : shownOf(task_id, found)
    })

    const list = Effect.fn("PushConfigs.list")(function* (task_id: A2pTaskId) {
      return (yield* repo.ofTask(task_id)).map((config) => shownOf(task_id, config))
    })

    /** Removes one; nothing happens where there is none. */
    const remove = Effect.fn("PushConfigs.remove")(function* ({ id }: Pick<OfTask, "id">, config_id: string) {
      yield* Effect.tap(repo.orphan(id, config_id), (row) =>
        row === undefined
          ? Effect.void
          : audit.record({ action: "a2p_push_config.delete", resource: `a2p_push_config/${row.id}` })
      ).pipe(sql.withTransaction, orDefect)
      yield* latch.open
    })

    /** Call it in the transaction that appends events to a task, with the last of them; and `wake` after it. */
    const enqueue = (task_id: A2pTaskId, seq: number) => repo.queue(task_id, seq)

    /** Delivers at once what is due: this process need not look for it. */
    const wake = latch.open

    /** Until {@link wake}, or for so long. */
    const woken = (millis: number) =>
      Effect.zipRight(latch.close, Effect.timeoutOption(latch.await, millis)).pipe(Effect.asVoid)

    return { prepare, abandon, insert, set, get, list, remove, enqueue, wake, woken } as const
  })
}) {}
