import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import Pg from "pg"
import { testDatabase } from "../support/TestDatabase.ts"
import { run } from "./Tracepipe.ts"

const queried = (connectionString: string, statement: string) =>
  Effect.acquireUseRelease(
    Effect.promise(async () => {
      const client = new Pg.Client({ connectionString })
      await client.connect()
      return client
    }),
    (client) => Effect.promise(async () => (await client.query(statement)).rows),
    (client) => Effect.promise(() => client.end())
  )

it.scoped("`quotas set` gives an organization a quota, takes it back, and leaves a trace of it", () =>
  Effect.gen(function* () {
    const { app, owner } = yield* testDatabase
    const id = Bun.randomUUIDv7()
    yield* queried(app, `insert into organizations (id, slug, name) values ('${id}', 'acme', 'Acme')`)
    const set = (...args: ReadonlyArray<string>) =>
      run(["quotas", "set", ...args], { DATABASE_URL: app, DATABASE_MIGRATION_URL: owner })
    const rows = queried(app, `select kind, "window", ceiling from quotas where org_id = '${id}'`)

    const made = yield* set("acme", "requests", "day", "5000")
    expect(made).toEqual({
      code: 0,
      stdout: "",
      stderr: "acme: requests by day: 5000; services follow within two seconds\n"
    })
    expect(yield* rows).toEqual([{ kind: "requests", window: "day", ceiling: "5000" }])
    expect((yield* set("acme", "requests", "day", "none")).code).toBe(0)
    expect(yield* rows).toEqual([{ kind: "requests", window: "day", ceiling: null }])
    expect((yield* set("acme", "requests", "day", "default")).code).toBe(0)
    expect(yield* rows).toEqual([])
    const entries = yield* queried(
      app,
      `select actor, action, resource, before_digest is null as b, after_digest is null as a
        from audit_entries where org_id = '${id}' order by at, id`
    )
    const entry = { actor: "system", action: "quota.set", resource: `organization/${id}` }
    expect(entries).toEqual([
      { ...entry, b: true, a: false },
      { ...entry, b: false, a: false },
      { ...entry, b: false, a: true }
    ])

    for (const [args, reason] of [
      [["nobody", "requests", "day", "1"], "there is no organization nobody"],
      [["acme", "requests", "total", "1"], "requests are counted by day and month"],
      [["acme", "requests", "day", "-1"], "the ceiling is a whole number, none or default, not -1"]
    ] as const) {
      const refused = yield* set(...args)
      expect({ code: refused.code, stderr: refused.stderr }).toEqual({
        code: 1,
        stderr: expect.stringContaining(reason)
      })
    }
    expect(yield* rows).toEqual([])
  })
)
