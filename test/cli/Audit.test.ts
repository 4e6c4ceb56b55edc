import { join } from "node:path"
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { acted, order, sealed, tamper } from "../support/AuditLogs.ts"
import { type Caller, elsewhere, member, organization } from "../support/Organizations.ts"
import { client, TestServer } from "../support/TestServer.ts"
import { folder, run } from "./Tracepipe.ts"

const audit = ({ api_key }: Pick<Caller, "api_key">, ...args: ReadonlyArray<string>) =>
  Effect.flatMap(TestServer, ({ base_url }) =>
    run(["audit", ...args], { TRACEPIPE_URL: base_url, TRACEPIPE_API_KEY: api_key })
  )

/** Keeps what the command prints in a file. */
const kept = (into: string, name: string, caller: Caller, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const path = join(into, name)
    const { code, stdout, stderr } = yield* audit(caller, ...args)
    expect(code, stderr).toBe(0)
    yield* Effect.promise(() => Bun.write(path, stdout))
    return path
  })

layer(TestServer.layer(), { excludeTestServices: true })("tracepipe audit", (it) => {
  it.effect(
    "a log is verified against a checkpoint that was kept, without the service, until one byte is another",
    () =>
      Effect.gen(function* () {
        const here = yield* folder
        const caller = yield* organization()
        yield* acted(caller, 3)
        const older = yield* kept(here, "older.txt", caller, "checkpoint")
        yield* acted(caller, 2)
        const key = (yield* audit(caller, "key")).stdout.trim()
        const whole = yield* kept(here, "whole.jsonl", caller, "export")
        const good = yield* run(["audit", "verify", whole, "--checkpoint", older, "--key", key])
        expect(good).toMatchObject({ code: 0, stderr: "" })
        expect(good.stdout).toMatch(
          /^5 entries, root [0-9a-f]{64}\ncheckpoint of 3 entries of tracepipe\/audit\/\S+: holds\nsignatures: valid\nthe log is whole and unchanged up to seq 2; what comes after it, up to 4, .*\n$/
        )

        const [, second = ""] = yield* order(caller.org_id)
        yield* tamper(`update audit_entries set resource = overlay(resource placing 'S' from 1) where id = '${second}'`)
        const changed = yield* kept(here, "changed.jsonl", caller, "export")
        const bad = yield* run(["audit", "verify", changed, "--checkpoint", older, "--key", key])
        expect(bad.code).toBe(1)
        expect(bad.stderr).toMatch(
          new RegExp(`^tracepipe: the audit log was changed: entry ${second} \\(seq 1.*does not match its leaf\n$`)
        )
      }).pipe(Effect.scoped)
  )

  it.effect("a checkpoint that another key signed, or that is none, is refused", () =>
    Effect.gen(function* () {
      const here = yield* folder
      const [caller, other] = [yield* organization(), yield* organization()]
      yield* acted(caller, 1)
      const whole = yield* kept(here, "whole.jsonl", caller, "export")
      const note = yield* kept(here, "note.txt", caller, "checkpoint")
      const key = (yield* audit(other, "key")).stdout.trim()
      const foreign = yield* run(["audit", "verify", whole, "--checkpoint", note, "--key", key])
      expect(foreign).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("note.txt: is not signed with the key")
      })
      const none = yield* run(["audit", "verify", whole, "--checkpoint", whole])
      expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining("is no signed checkpoint") })
      const malformed = yield* run(["audit", "verify", whole, "--checkpoint", note, "--key", "x"])
      expect(malformed).toMatchObject({ code: 1, stderr: expect.stringContaining("--key: expected a public key") })
    }).pipe(Effect.scoped)
  )

  it.effect("who is erased is unreadable, in the API and in the tables, and the log is as whole as before", () =>
    Effect.gen(function* () {
      const here = yield* folder
      const { sql } = yield* TestServer
      const owner = yield* organization()
      const person = yield* member(owner.org_id, { role: "member" })
      yield* sql`update users set display_name = 'Ada Lovelace', email = 'ada@example.org', issuer = 'https://login.example',
        subject = 'ada-1815' where id = ${person.user_id}`
      yield* acted(person, 3)
      const older = yield* kept(here, "older.txt", owner, "checkpoint")

      const { personal_data, audit: log } = yield* client(owner.api_key)
      const path = { id: person.user_id as never }
      const found = yield* personal_data.export({ path })
      expect(found.user).toMatchObject({ display_name: "Ada Lovelace", email: "ada@example.org", subject: "ada-1815" })
      expect(found.memberships).toMatchObject([{ org_id: owner.org_id, role: "member" }])
      expect(found.api_keys).toMatchObject([{ id: person.key_id }])
      expect(found.audit_entries.map(({ ip }) => ip)).toEqual(Array(3).fill(expect.stringMatching(/127\.0\.0\.1$/)))

      const ids = yield* order(owner.org_id)
      const stolen = yield* sql<{ text: string }>`select to_jsonb(p)::text as text from audit_personal p
        where entry_id in ${sql.in(ids)}`
      expect(stolen.map(({ text }) => text).join()).not.toContain("127.0.0.1")

      yield* personal_data.erase({ path })
      yield* sealed(owner.org_id)
      const listed = yield* log.list({ urlParams: { limit: 100, actor: `user/${person.user_id}` } })
      expect(listed.items.map(({ ip, personal }) => [ip, personal !== null])).toEqual(Array(3).fill([null, true]))
      const tables = yield* sql<{ name: string }>`select table_name as name from information_schema.tables
        where table_schema = 'public' and table_type = 'BASE TABLE'`
      for (const { name } of tables) {
        const rows = yield* sql<{ text: string }>`select t::text as text from ${sql(name)} t`
        const all = rows.map(({ text }) => text).join("\n")
        for (const said of ["Ada Lovelace", "ada@example.org", "ada-1815", "login.example"]) {
          expect(all.includes(said), `${said} in ${name}`).toBe(false)
        }
      }
      const keys = yield* sql`select from data_keys where user_id = ${person.user_id}`
      expect(keys).toEqual([])
      expect(yield* Effect.flip(Effect.flatMap(client(person.api_key), ({ users }) => users.me()))).toMatchObject({
        _tag: "Unauthorized"
      })
      expect(yield* Effect.flip(personal_data.export({ path }))).toMatchObject({ _tag: "NotFound" })

      const whole = yield* kept(here, "whole.jsonl", owner, "export")
      const verified = yield* run(["audit", "verify", whole, "--checkpoint", older])
      expect(verified).toMatchObject({ code: 0, stderr: "" })
      expect(verified.stdout).toContain("the log is whole and unchanged")
    }).pipe(Effect.scoped)
  )

  it.effect("nobody is erased who is the only owner, is above the caller, or is somewhere else too", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const admin = yield* member(owner.org_id, { role: "admin" })
      const shared = yield* member(owner.org_id, { role: "viewer" })
      yield* elsewhere(shared)
      const as = (caller: Caller, id: string) =>
        Effect.flatMap(client(caller.api_key), ({ personal_data }) =>
          Effect.flip(personal_data.erase({ path: { id: id as never } }))
        )
      expect(yield* as(owner, owner.user_id)).toMatchObject({ _tag: "LastOwner" })
      expect(yield* as(admin, owner.user_id)).toMatchObject({ _tag: "Forbidden" })
      expect(yield* as(admin, shared.user_id)).toMatchObject({
        _tag: "Forbidden",
        detail: expect.stringContaining("only they themselves")
      })
      // They themselves may, and then they are gone from both.
      const { personal_data } = yield* client(admin.api_key)
      yield* elsewhere(admin, "viewer")
      yield* personal_data.erase({ path: { id: admin.user_id as never } })
      const { sql } = yield* TestServer
      expect(yield* sql`select from memberships where user_id = ${admin.user_id}`).toEqual([])
      const told = yield* sql<{ org_id: string }>`select org_id from audit_entries
        where action = 'user.erase' and resource = ${`user/${admin.user_id}`}`
      expect(told.length).toBe(2)
    })
  )
})
