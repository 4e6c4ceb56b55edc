import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { leafOf } from "../../src/identity/audit/Leaf.ts"
import { acted, checkpoint, differences, exported, order, tamper } from "../support/AuditLogs.ts"
import { organization } from "../support/Organizations.ts"
import { TestServer } from "../support/TestServer.ts"

/** A log of nine entries, a checkpoint of the first six that somebody holds, and one of all. */
const held = Effect.gen(function* () {
  const caller = yield* organization()
  yield* acted(caller, 6)
  const older = yield* checkpoint(caller)
  yield* acted(caller, 3)
  const export_ = yield* exported(caller)
  const newest = yield* checkpoint(caller)
  return { caller, older, newest, ids: yield* order(caller.org_id), export: export_ }
})

const columns: ReadonlyArray<readonly [string, string]> = [
  ["actor", "'user/somebody-else'"],
  ["action", "overlay(action placing 'x' from 1 for 1)"],
  ["resource", "resource || ' '"],
  ["at", "at + interval '1 microsecond'"],
  ["xid", "'3'"],
  ["org_id", `'${crypto.randomUUID()}'`],
  ["before_digest", `'${"0".repeat(64)}'`],
  ["after_digest", "null"],
  ["detail", "''"],
  ["request_id", "upper(request_id) || '1'"],
  ["personal_digest", `'${"0".repeat(64)}'`]
]

layer(TestServer.layer(), { excludeTestServices: true })("a log that somebody with all rights changed", (it) => {
  it.effect("is whole before that, held against every checkpoint and against itself", () =>
    Effect.gen(function* () {
      const { older, newest, export: whole } = yield* held
      expect(differences(whole, [older, newest], whole)).toEqual([])
      expect(whole.trim().split("\n").length).toBe(9)
    })
  )

  it.effect("names the entry whose row has another value, in any column", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const names = yield* sql<{ name: string }>`select column_name as name from information_schema.columns
        where table_schema = 'public' and table_name = 'audit_entries'`
      expect([...columns.map(([name]) => name), "id"].sort()).toEqual(names.map(({ name }) => name).sort())
      const { caller, older, ids } = yield* held
      for (const [column, value] of columns) {
        const id = ids[3]!
        yield* tamper(
          "drop table if exists kept",
          `create table kept as select * from audit_entries where id = '${id}'`,
          `update audit_entries set ${column} = ${value} where id = '${id}'`
        )
        const [first] = differences(yield* exported(caller), [older])
        expect(first, column).toMatch(new RegExp(`^entry ${id} \\(seq 3.*was changed: it does not match its leaf$`))
        yield* tamper(
          `delete from audit_entries where id = '${id}'`,
          "insert into audit_entries select * from kept",
          "drop table kept"
        )
        expect(differences(yield* exported(caller), [older]), column).toEqual([])
      }
    })
  )

  it.effect("names the entry that has another id", () =>
    Effect.gen(function* () {
      const { caller, older, ids } = yield* held
      yield* tamper(`update audit_entries set id = '${Bun.randomUUIDv7()}' where id = '${ids[2]}'`)
      expect(differences(yield* exported(caller), [older])[0]).toBe(
        `entry ${ids[2]} (seq 2) was removed: its leaf is recorded, the entry is gone`
      )
    })
  )

  it.effect("names the entry whose encrypted part was changed", () =>
    Effect.gen(function* () {
      const { caller, older, ids } = yield* held
      yield* tamper(
        `update audit_personal set ciphertext = set_byte(ciphertext, 20, get_byte(ciphertext, 20) # 1) where entry_id = '${ids[4]}'`
      )
      expect(differences(yield* exported(caller), [older])[0]).toMatch(
        new RegExp(`^what is personal in entry ${ids[4]} \\(seq 4.*was changed`)
      )
    })
  )

  it.effect("names the entry that was removed, with its leaf and without", () =>
    Effect.gen(function* () {
      const { caller, older, ids, export: before } = yield* held
      yield* tamper(`delete from audit_entries where id = '${ids[1]}'`)
      expect(differences(yield* exported(caller), [older])[0]).toBe(
        `entry ${ids[1]} (seq 1) was removed: its leaf is recorded, the entry is gone`
      )
      yield* tamper(`delete from audit_leaves where entry_id = '${ids[1]}'`)
      const gone = yield* exported(caller)
      expect(differences(gone, [older])[0]).toMatch(/^the entry of seq 1 is missing: entry .* \(seq 2.*comes next$/)
      expect(differences(gone, [older], before)).toEqual(
        expect.arrayContaining([expect.stringMatching(new RegExp(`^entry ${ids[1]} \\(seq 1.*is missing`))])
      )
    })
  )

  it.effect("says what is missing at its end", () =>
    Effect.gen(function* () {
      const { caller, older, newest, ids } = yield* held
      yield* tamper(`delete from audit_leaves where entry_id = '${ids[8]}'`)
      const cut = yield* exported(caller)
      expect(differences(cut, [older])).toEqual([])
      expect(differences(cut, [older, newest])).toEqual([
        "the entry of seq 8 is missing: the export ends there, and the checkpoint covers 9 entries"
      ])
    })
  )

  it.effect("names the first of two entries that were swapped, in their rows or in their leaves", () =>
    Effect.gen(function* () {
      const { caller, older, ids } = yield* held
      const swap = (one: string, other: string) =>
        `update audit_entries e set action = o.action, resource = o.resource, request_id = o.request_id, after_digest = o.after_digest
          from audit_entries o where (e.id = '${one}' and o.id = '${other}') or (e.id = '${other}' and o.id = '${one}')`
      yield* tamper(swap(ids[1]!, ids[4]!))
      expect(differences(yield* exported(caller), [older])[0]).toMatch(
        new RegExp(`^entry ${ids[1]} \\(seq 1.*was changed`)
      )
      yield* tamper(swap(ids[1]!, ids[4]!))
      expect(differences(yield* exported(caller), [older])).toEqual([])
      // With their hashes: now every entry matches its leaf, and no place its neighbours.
      yield* tamper(
        `update audit_leaves set seq = 100 where entry_id = '${ids[1]}'`,
        `update audit_leaves set seq = 1 where entry_id = '${ids[4]}'`,
        `update audit_leaves set seq = 4 where entry_id = '${ids[1]}'`
      )
      const [first] = differences(yield* exported(caller), [older])
      expect(first).toMatch(/^the log does not lead to the root of the checkpoint of 6: /)
      expect(first).toMatch(new RegExp(`entry ${ids[4]} \\(seq 1.*stands before entry ${ids[2]} \\(seq 2.*earlier`))
    })
  )

  it.effect("tells where it was rewritten together with its leaf, as exactly as what was held allows", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const { caller, older, newest, ids, export: before } = yield* held
      const [line] = before
        .split("\n")
        .slice(7, 8)
        .map((text) => JSON.parse(text))
      expect(line.id).toBe(ids[7])
      const forged = Buffer.from(leafOf({ ...line, actor: "user/nobody" })).toString("hex")
      yield* tamper(
        `update audit_entries set actor = 'user/nobody' where id = '${ids[7]}'`,
        `update audit_leaves set leaf_hash = decode('${forged}', 'hex') where entry_id = '${ids[7]}'`
      )
      const after = yield* exported(caller)
      // What is held of the time before it holds, what is held of the time after does not.
      expect(differences(after, [older])).toEqual([])
      expect(differences(after, [older, newest])).toEqual([
        "the log does not lead to the root of the checkpoint of 9: the first entry that differs is one of those of seq 6 to 8"
      ])
      expect(differences(after, [older, newest], before)[0]).toMatch(new RegExp(`^entry ${ids[7]} \\(seq 7`))
      // The checkpoints that the service keeps say more, for they cannot be forged either.
      const kept = yield* sql<{ note: string }>`select note from audit_checkpoints where org_id = ${caller.org_id}`
      expect(differences(after, kept).length).toBeGreaterThan(0)
    })
  )
})
