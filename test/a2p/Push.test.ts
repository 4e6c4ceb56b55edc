import type { TaskPushNotificationConfig } from "@a2a-js/sdk"
import { expect, layer } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Webhook } from "standardwebhooks"
import { PushConfigs } from "../../src/a2p/PushConfigs.ts"
import { PushConfigsRepo } from "../../src/a2p/PushConfigsRepo.ts"
import { PushDelivery } from "../../src/a2p/PushDelivery.ts"
import { OrganizationId } from "../../src/domain/Ids.ts"
import { CurrentPrincipal } from "../../src/domain/Principal.ts"
import { a2aClient, data, message, ways } from "../support/A2aClient.ts"
import { eventually } from "../support/Eventually.ts"
import { organization } from "../support/Organizations.ts"
import { TestServer } from "../support/TestServer.ts"
import { type Seen, webServer } from "../support/WebServer.ts"
import { person } from "./Calls.ts"

const access = data({ skill: "check_access", input: { scope: "a2p:use" } })
// Nothing makes it in a process that runs no jobs: it stays as it is.
const idle = () =>
  data({ skill: "create_examples", input: { session_ids: [Bun.randomUUIDv7()], model_id: Bun.randomUUIDv7() } })

const configOf = (url: string, more: Partial<TaskPushNotificationConfig> = {}): TaskPushNotificationConfig => ({
  tenant: "",
  taskId: "",
  id: "hook",
  url,
  token: "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
  authentication: undefined,
  ...more
})

/** A receiver on this machine, which answers with these statuses one after the other, then with 200. */
const receiver = (...statuses: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const left = [...statuses]
    const { seen, port } = yield* webServer((_request, response) => response.writeHead(left.shift() ?? 200).end())
    return { seen, url: `http://127.0.0.1:${port}/hook` }
  })

const received = (seen: ReadonlyArray<Seen>, count: number) =>
  eventually(
    Effect.sync(() => [...seen]),
    (all) => all.length >= count
  )

/** What an event is about, in one word. */
const kindOf = ({ body }: Seen) => {
  const event: Record<string, { readonly status?: { readonly state: string } }> = JSON.parse(body)
  const [kind = ""] = Object.keys(event)
  return event[kind]?.status?.state ?? kind
}

const headersOf = ({ headers }: Seen) => ({
  "webhook-id": String(headers["webhook-id"]),
  "webhook-timestamp": String(headers["webhook-timestamp"]),
  "webhook-signature": String(headers["webhook-signature"])
})

const somebody = Effect.gen(function* () {
  const { base_url, sql } = yield* TestServer
  const person = yield* organization()
  return { ...person, sql, client: yield* a2aClient(base_url, ways[0], person.api_key) }
})

type Somebody = Effect.Effect.Success<typeof somebody>

/** A task that is sent with a place to push to; answers its id. */
const pushed = ({ client }: Somebody, config: TaskPushNotificationConfig, part = access) =>
  Effect.promise(async () => {
    const task = await client.sendMessage(
      message([part], { taskPushNotificationConfig: config, returnImmediately: true })
    )
    return "status" in task ? task.id : ""
  })

const row = ({ sql }: Pick<Somebody, "sql">, task_id: string) =>
  Effect.map(
    sql<{
      id: string
      done_seq: number
      queued_seq: number
      attempts: number
      given_up: number
      next_attempt_at: Date | null
    }>`
      select id, done_seq, queued_seq, attempts, given_up, next_attempt_at from a2p_push_configs where task_id = ${task_id}`,
    ([found]) => found
  ).pipe(Effect.orDie)

/** What the database holds of somebody's configurations. */
const left = ({ sql, org_id }: Pick<Somebody, "sql" | "org_id">) =>
  sql<{ secrets: number; rows: number }>`
    select (select count(*)::int from secrets where org_id = ${org_id} and path like 'a2p/push-configs/%') as secrets,
      (select count(*)::int from a2p_push_configs where org_id = ${org_id}) as rows`.pipe(
    Effect.map(([found]) => found ?? { secrets: -1, rows: -1 }),
    Effect.orDie
  )

const everything = ["task", "TASK_STATE_WORKING", "artifactUpdate", "TASK_STATE_COMPLETED"]
const stateless = (kind: string) => (kind === "TASK_STATE_SUBMITTED" ? "task" : kind)

layer(TestServer.layer(), { excludeTestServices: true })("push notifications", (it) => {
  it.scoped("bring every event of a task in its order, signed, with the caller's token and credentials", () =>
    Effect.gen(function* () {
      const me = yield* somebody
      const { seen, url } = yield* receiver()
      const authentication = { scheme: "Bearer", credentials: "secret of mine" }
      const task_id = yield* pushed(me, configOf(url, { token: "known-token", authentication }))
      const all = yield* received(seen, 4)
      expect(all.map(kindOf).map(stateless)).toEqual(everything)
      expect(
        all.map(({ headers }) => [headers["content-type"], headers["x-a2a-notification-token"], headers.authorization])
      ).toEqual(all.map(() => ["application/a2a+json", "known-token", "Bearer secret of mine"]))
      const webhook = new Webhook("known-token", { format: "raw" })
      for (const one of all) expect(() => webhook.verify(one.body, headersOf(one))).not.toThrow()
      expect(() => webhook.verify(`${all[0]?.body} `, headersOf(all[0]!))).toThrow()
      expect(new Set(all.map(({ headers }) => headers["webhook-id"])).size).toBe(4)
      const end = yield* eventually(row(me, task_id), (found) => found?.next_attempt_at === null)
      expect(end).toMatchObject({ done_seq: 4, queued_seq: 4, given_up: 0 })
      expect(seen.length).toBe(4)
    })
  )

  it.scoped("are signed with a secret that is told once, and is never sent", () =>
    Effect.gen(function* () {
      const me = yield* somebody
      const { seen, url } = yield* receiver()
      const { client, sql, org_id } = me
      const task = yield* Effect.promise(() => client.sendMessage(message([access])))
      const taskId = "status" in task ? task.id : ""
      const made = yield* Effect.promise(() =>
        client.createTaskPushNotificationConfig(configOf(url, { taskId, token: "" }))
      )
      expect(made.token).toMatch(/^whsec_/)
      const one = { tenant: "", taskId, id: "hook" }
      expect((yield* Effect.promise(() => client.getTaskPushNotificationConfig(one))).token).toBe("")
      const [kept] = yield* sql<{
        text: string
      }>`select to_jsonb(c)::text as text from a2p_push_configs c where task_id = ${taskId}`
      expect(kept?.text).not.toContain(made.token)
      const [audited] = yield* sql<{ count: number }>`select count(*)::int as count from audit_entries
        where org_id = ${org_id} and action = 'a2p_push_config.create'`
      expect(audited).toEqual({ count: 1 })
      // What was before the configuration is not brought; one more event is.
      yield* sql`insert into a2p_task_events ${sql.insert({
        task_id: taskId,
        seq: 5,
        event: JSON.stringify({ statusUpdate: { taskId, status: { state: "TASK_STATE_COMPLETED" } } })
      })}`
      yield* sql`update a2p_push_configs set queued_seq = 5, next_attempt_at = now() where task_id = ${taskId}`
      const all = yield* received(seen, 1)
      expect(all.map(kindOf)).toEqual(["TASK_STATE_COMPLETED"])
      expect(all[0]?.headers["x-a2a-notification-token"]).toBeUndefined()
      expect(() => new Webhook(made.token).verify(all[0]!.body, headersOf(all[0]!))).not.toThrow()
      yield* Effect.promise(() => client.deleteTaskPushNotificationConfig(one))
      const again = Effect.promise(() => client.getTaskPushNotificationConfig(one).catch((error: Error) => error.name))
      expect(yield* again).toBe("TaskNotFoundError")
      expect(yield* eventually(left(me), (found) => found.secrets + found.rows === 0)).toEqual({ secrets: 0, rows: 0 })
    })
  )

  it.scoped("are sent again to a receiver that fails, the same event first", () =>
    Effect.gen(function* () {
      const me = yield* somebody
      const { seen, url } = yield* receiver(500, 302)
      const task_id = yield* pushed(me, configOf(url))
      const all = yield* received(seen, 6)
      expect(all.map(kindOf).map(stateless)).toEqual(["task", "task", ...everything])
      expect(new Set(all.slice(0, 3).map(({ headers }) => headers["webhook-id"])).size).toBe(1)
      expect(yield* eventually(row(me, task_id), (found) => found?.done_seq === 4)).toMatchObject({ attempts: 0 })
    })
  )

  it.scoped("of an event that was refused for a day are given up, and the next has its turn", () =>
    Effect.gen(function* () {
      const me = yield* somebody
      const { seen, url } = yield* receiver(500, 500)
      const task_id = yield* pushed(me, configOf(url))
      yield* eventually(row(me, task_id), (found) => found?.attempts === 1)
      yield* me.sql`update a2p_push_configs set failing_since = now() - interval '1 day', next_attempt_at = now() where task_id = ${task_id}`
      const all = yield* received(seen, 5)
      expect(all.map(kindOf).map(stateless)).toEqual(["task", ...everything])
      expect(yield* eventually(row(me, task_id), (found) => found?.done_seq === 4)).toMatchObject({ given_up: 1 })
    })
  )

  it.scoped("end where the receiver says that it is gone", () =>
    Effect.gen(function* () {
      const me = yield* somebody
      const { seen, url } = yield* receiver(410)
      const task_id = yield* pushed(me, configOf(url))
      expect(yield* eventually(row(me, task_id), (found) => found === undefined && seen.length > 0)).toBeUndefined()
      expect(seen.length).toBe(1)
    })
  )

  it.scoped("to one receiver do not wait for another that is slow", () =>
    Effect.gen(function* () {
      const me = yield* somebody
      const slow = yield* webServer(() => undefined)
      const { seen, url } = yield* receiver()
      yield* pushed(me, configOf(`http://127.0.0.1:${slow.port}/`))
      yield* received(slow.seen, 1)
      yield* pushed(me, configOf(url))
      expect((yield* received(seen, 4)).length).toBe(4)
      expect(slow.seen.length).toBe(1)
    })
  )

  it.scoped("are of version 0.3 for who asks by that: the whole task", () =>
    Effect.gen(function* () {
      const { base_url } = yield* TestServer
      const { api_key } = yield* organization()
      const { seen, url } = yield* receiver()
      for (const way of ways.slice(2)) {
        const before = seen.length
        const client = yield* a2aClient(base_url, way, api_key)
        yield* Effect.promise(() =>
          client.sendMessage(message([access], { taskPushNotificationConfig: configOf(url) }))
        )
        const last = (yield* received(seen, before + 4)).at(-1)
        expect(JSON.parse(last?.body ?? "{}")).toMatchObject({ kind: "task", status: { state: "completed" } })
        expect(last?.headers["content-type"]).toBe("application/json")
      }
    })
  )

  it.scoped("go to no address but those that are allowed, and to ten of one task at most", () =>
    Effect.gen(function* () {
      const { client } = yield* somebody
      const task = yield* Effect.promise(() => client.sendMessage(message([access])))
      const taskId = "status" in task ? task.id : ""
      const refusal = (config: TaskPushNotificationConfig) =>
        Effect.promise(() =>
          client.createTaskPushNotificationConfig({ ...config, taskId }).then(
            () => "made",
            (error: Error) => `${error.name}: ${error.message}`
          )
        )
      expect(yield* refusal(configOf("http://169.254.169.254/latest"))).toMatch(
        /RequestMalformedError.*url.*not allowed/
      )
      expect(yield* refusal(configOf("http://10.0.0.8/"))).toMatch(/RequestMalformedError.*url.*not allowed/)
      expect(yield* refusal(configOf("ftp://127.0.0.1/"))).toMatch(/RequestMalformedError.*url/)
      expect(yield* refusal(configOf("no url"))).toMatch(/RequestMalformedError.*url/)
      expect(yield* refusal(configOf("http://127.0.0.1:65000/", { token: "a\nb" }))).toMatch(
        /RequestMalformedError.*token/
      )
      expect(yield* refusal(configOf("http://127.0.0.1:65000/", { token: "whsec_short" }))).toMatch(/token/)
      const bad = { scheme: "Bear er", credentials: "" }
      expect(yield* refusal(configOf("http://127.0.0.1:65000/", { authentication: bad }))).toMatch(
        /authentication.scheme/
      )
      const untold = message([access], {
        taskPushNotificationConfig: configOf("http://127.0.0.1:65000/", { token: "" })
      })
      const sent = Effect.promise(() =>
        client.sendMessage(untold).catch(({ name, message }: Error) => `${name}: ${message}`)
      )
      expect(yield* sent).toMatch(/RequestMalformedError.*token: is needed/)
      for (let count = 0; count < 10; count++)
        expect(yield* refusal(configOf("http://127.0.0.1:65000/", { id: `n${count}` }))).toBe("made")
      expect(yield* refusal(configOf("http://127.0.0.1:65000/", { id: "n10" }))).toMatch(/10 of them at most/)
      expect(yield* refusal(configOf("http://127.0.0.1:65000/", { id: "n9" }))).toBe("made")
    })
  )
})

layer(TestServer.layer({ ROLE: "api" }), { excludeTestServices: true })("where no jobs run", (it) => {
  const delivering = Effect.flatMap(PushDelivery, ({ run }) => Effect.forkScoped(run)).pipe(
    Effect.provide(PushDelivery.Default)
  )

  it.scoped("nothing is pushed: it waits for a process that does", () =>
    Effect.gen(function* () {
      const me = yield* somebody
      const { seen, url } = yield* receiver()
      const task_id = yield* pushed(me, configOf(url), idle())
      yield* Effect.promise(() => me.client.cancelTask({ tenant: "", id: task_id, metadata: undefined }))
      expect(yield* row(me, task_id)).toMatchObject({ done_seq: 0, queued_seq: 2 })
      // Another's task, which comes later, is brought by this test itself: then this one was brought by nobody.
      yield* me.sql`update a2p_push_configs set next_attempt_at = now() + interval '1 day' where task_id = ${task_id}`
      const later = yield* pushed(me, configOf(url, { id: "later" }), idle())
      yield* delivering
      yield* eventually(row(me, later), (found) => found?.done_seq === 1)
      expect(seen.map(({ body }) => JSON.parse(body).task?.id)).toEqual([later])
      yield* me.sql`update a2p_push_configs set next_attempt_at = now() where task_id = ${task_id}`
      expect(yield* eventually(row(me, task_id), (found) => found?.done_seq === 2)).toMatchObject({ given_up: 0 })
    })
  )

  it.scoped("two processes share what waits: each event is brought once, in its order", () =>
    Effect.gen(function* () {
      const me = yield* somebody
      const { seen, url } = yield* receiver()
      const ids = yield* Effect.forEach(Array.from({ length: 12 }), () => pushed(me, configOf(url), idle()))
      for (const id of ids) {
        yield* Effect.promise(() => me.client.cancelTask({ tenant: "", id, metadata: undefined }))
      }
      yield* delivering
      yield* delivering
      const all = yield* received(seen, 2 * ids.length)
      const kinds = Map.groupBy(all, ({ headers }) => String(headers["webhook-id"]).slice(0, 36))
      expect([...kinds.values()].map((of) => of.map(kindOf).map(stateless))).toEqual(
        ids.map(() => ["task", "TASK_STATE_CANCELED"])
      )
      const open = me.sql<{
        id: string
      }>`select id from a2p_push_configs where task_id = any(${ids}) and next_attempt_at is not null`
      expect(yield* eventually(Effect.orDie(open), (rows) => rows.length === 0)).toEqual([])
      expect(seen.length).toBe(2 * ids.length)
    })
  )

  it.scoped("what a process was about when it ended is brought by the next", () =>
    Effect.gen(function* () {
      const me = yield* somebody
      let answers = false
      const { seen, port } = yield* webServer((_request, response) => {
        if (answers) response.writeHead(200).end()
      })
      const task_id = yield* pushed(me, configOf(`http://127.0.0.1:${port}/`), idle())
      yield* Effect.scoped(
        Effect.gen(function* () {
          const first = yield* delivering
          yield* received(seen, 1)
          yield* Fiber.interrupt(first)
        })
      )
      answers = true
      yield* delivering
      expect(yield* eventually(row(me, task_id), (found) => found?.done_seq === 1)).toMatchObject({ given_up: 0 })
      expect(seen.map(kindOf).map(stateless)).toEqual(["task", "task"])
    })
  )

  it.scoped("who lost the right to a task gets nothing more of it", () =>
    Effect.gen(function* () {
      const gone = yield* somebody
      const lesser = yield* somebody
      const { seen, url } = yield* receiver()
      const ids = [yield* pushed(gone, configOf(url), idle()), yield* pushed(lesser, configOf(url), idle())]
      yield* gone.sql`update api_keys set revoked_at = now() where id = ${gone.key_id}`
      yield* lesser.sql`update memberships set role = 'viewer' where org_id = ${lesser.org_id}`
      yield* delivering
      for (const one of [gone, lesser]) {
        expect(yield* eventually(left(one), ({ rows }) => rows === 0)).toEqual({ secrets: 0, rows: 0 })
        const [audited] = yield* one.sql`select actor, detail from audit_entries
          where org_id = ${one.org_id} and action = 'a2p_push_config.delete'`
        expect(audited).toMatchObject({ detail: "who made it may not have it any more" })
      }
      expect([ids.length, seen]).toEqual([2, []])
    })
  )

  it.scoped("a configuration in the place of another brings what that had not yet brought", () =>
    Effect.gen(function* () {
      const me = yield* somebody
      const old = yield* receiver()
      const { seen, url } = yield* receiver()
      const taskId = yield* pushed(me, configOf(old.url), idle())
      yield* Effect.promise(() => me.client.createTaskPushNotificationConfig(configOf(url, { taskId })))
      yield* delivering
      expect((yield* received(seen, 1)).map(kindOf).map(stateless)).toEqual(["task"])
      expect(old.seen).toEqual([])
      // Of the one before nothing is left.
      expect(yield* eventually(left(me), ({ rows }) => rows === 1)).toEqual({ secrets: 1, rows: 1 })
    })
  )

  it.scoped("a configuration is replaced while its task goes on, and neither stops the other", () =>
    Effect.gen(function* () {
      const me = yield* somebody
      const { sql } = me
      const { url } = yield* receiver()
      const taskId = yield* pushed(me, configOf(url), idle())
      const waiting = sql`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
      const replaced = yield* Effect.gen(function* () {
        // As who writes an event does: the task, then its configurations.
        yield* sql`select 1 from a2p_tasks where id = ${taskId} for update`
        const replacing = yield* Effect.forkDaemon(
          Effect.promise(() => me.client.createTaskPushNotificationConfig(configOf(url, { taskId })))
        )
        expect((yield* eventually(Effect.orDie(waiting), (found) => found.length > 0)).length).toBeGreaterThan(0)
        yield* sql`update a2p_push_configs set queued_seq = queued_seq + 1 where task_id = ${taskId}`
        return replacing
      }).pipe(sql.withTransaction)
      expect(yield* Fiber.join(replaced)).toMatchObject({ taskId, id: "hook" })
    })
  )

  it.scoped("what breaks off before a configuration is in force leaves no secret", () =>
    Effect.gen(function* () {
      const me = yield* somebody
      const { url } = yield* receiver()
      const configs = yield* PushConfigs
      yield* configs
        .prepare(OrganizationId.make(me.org_id), configOf(url), "1.0")
        .pipe(Effect.provideService(CurrentPrincipal, person(me)))
      yield* delivering
      const other = yield* receiver()
      yield* pushed(yield* somebody, configOf(other.url), idle())
      yield* received(other.seen, 1)
      // It may still come into force, until its time is over.
      expect(yield* left(me)).toEqual({ secrets: 1, rows: 1 })
      yield* me.sql`update a2p_push_configs set lease_until = now() - interval '1 s' where org_id = ${me.org_id}`
      expect(yield* eventually(left(me), ({ rows }) => rows === 0)).toEqual({ secrets: 0, rows: 0 })
    }).pipe(Effect.provide(PushConfigs.Default))
  )

  it.scoped("the secrets of an organization that is deleted are removed where they are kept", () =>
    Effect.gen(function* () {
      const me = yield* somebody
      const { url } = yield* receiver()
      yield* pushed(me, configOf(url), idle())
      yield* me.sql`delete from organizations where id = ${me.org_id}`
      // The row alone knows where they are.
      expect((yield* left(me)).rows).toBe(1)
      yield* delivering
      expect(yield* eventually(left(me), ({ rows }) => rows === 0)).toEqual({ secrets: 0, rows: 0 })
    })
  )

  it.scoped("what cannot be sent at all waits as what is not taken", () =>
    Effect.gen(function* () {
      const me = yield* somebody
      const { url } = yield* receiver()
      const task_id = yield* pushed(me, configOf(url), idle())
      const event = JSON.stringify({ message: { parts: [null] } })
      yield* me.sql`update a2p_task_events set event = ${event} where task_id = ${task_id}`
      yield* delivering
      const found = yield* eventually(row(me, task_id), (one) => (one?.attempts ?? 0) > 1)
      expect(found?.attempts).toBeGreaterThan(1)
    })
  )

  it.scoped("of one organization a few are delivered at a time, each by one that can lose it", () =>
    Effect.gen(function* () {
      const many = yield* somebody
      const few = yield* somebody
      const repo = yield* PushConfigsRepo
      const { url } = yield* receiver()
      for (let count = 0; count < 6; count++) yield* pushed(many, configOf(url), idle())
      yield* pushed(few, configOf(url), idle())
      const claimed = Effect.map(repo.claim(32, 60), (all) => ({
        many: all.filter(({ org_id }) => org_id === many.org_id),
        few: all.filter(({ org_id }) => org_id === few.org_id)
      }))
      const first = yield* claimed
      expect([first.many.length, first.few.length]).toEqual([4, 1])
      const second = yield* claimed
      expect([second.many.length, second.few.length]).toEqual([0, 0])
      yield* few.sql`update a2p_push_configs set lease_until = now() - interval '1 s' where org_id = ${few.org_id}`
      const [mine] = first.few
      const [theirs] = (yield* claimed).few
      if (mine === undefined || theirs?.task_id == null) return expect.unreachable("nothing was due")
      expect(mine.id).toBe(theirs.id)
      yield* repo.release(mine)
      expect(yield* repo.failed(mine, "late")).toBeUndefined()
      expect(yield* repo.done(mine, 1, 60)).toBe(false)
      expect(yield* repo.drop(mine)).toBe(false)
      expect(yield* row(few, theirs.task_id)).toMatchObject({ done_seq: 0, attempts: 0 })
      expect((yield* claimed).few).toEqual([])
      expect(yield* repo.done(theirs, 1, 60)).toBe(true)
      yield* repo.release(theirs)
      expect(yield* row(few, theirs.task_id)).toMatchObject({ done_seq: 1, next_attempt_at: null })
    }).pipe(Effect.provide(PushConfigsRepo.Default))
  )
})
