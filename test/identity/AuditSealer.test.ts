import { readdir, rm } from "node:fs/promises"
import { expect, layer } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger, LogLevel, Schedule } from "effect"
import Pg from "pg"
import { inject, vi } from "vitest"
import { AuditSealer } from "../../src/identity/AuditSealer.ts"
import * as Checkpoint from "../../src/identity/audit/Checkpoint.ts"
import * as SignedNote from "../../src/identity/audit/SignedNote.ts"
import { asOwner } from "../support/AsOwner.ts"
import { acted, order, sealed } from "../support/AuditLogs.ts"
import { eventually } from "../support/Eventually.ts"
import { roles, withDatabase } from "../support/globalSetup.ts"
import { type Caller, organization } from "../support/Organizations.ts"
import { testDatabase } from "../support/TestDatabase.ts"
import { TestServer } from "../support/TestServer.ts"

vi.setConfig({ testTimeout: 180_000 })

const CONNECTIONS = 40
const WRITERS = 10_000

/** Entries that were written before there was a sealer, or elsewhere. */
const OLD = 20_000

const thisCluster = "(select system_identifier::text from pg_control_system())"

/** One transaction, as its writer saw it: moments are counted, not measured. */
interface Written {
  readonly entries: ReadonlyArray<{ readonly id: string; readonly org_id: string }>
  readonly began: number
  readonly committed: number | undefined
}

/**
 * Ten thousand transactions over many connections. Each that has written waits with others until chance
 * lets it end: so they overlap, and end in another order than they began.
 */
const writeAll = async (connectionString: string, orgs: ReadonlyArray<Caller>) => {
  const clients = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const client = new Pg.Client({ connectionString })
      await client.connect()
      return client
    })
  )
  const written: Array<Written> = []
  const waiting: Array<() => void> = []
  let moment = 0
  let left = WRITERS
  let active = CONNECTIONS
  const release = () => waiting.splice(Math.floor(Math.random() * waiting.length), 1)[0]?.()
  const chance = () =>
    new Promise<void>((resume) => {
      waiting.push(resume)
      if (waiting.length > CONNECTIONS / 2 || waiting.length === active) release()
    })
  await Promise.all(
    clients.map(async (client) => {
      while (left > 0) {
        left -= 1
        const began = ++moment
        const kind = Math.random()
        const entries = Array.from({ length: kind < 0.1 ? 2 : 1 }, () => ({
          id: Bun.randomUUIDv7(),
          org_id: orgs[Math.floor(Math.random() * orgs.length)]!.org_id
        }))
        await client.query("begin")
        for (const [at, { id, org_id }] of entries.entries()) {
          // A part of a transaction has a number of its own, which is not the one that counts.
          if (at > 0) await client.query("savepoint part")
          await client.query(
            "insert into audit_entries (id, org_id, actor, action, resource, request_id) values ($1, $2, 'user/1', 'test.write', $3, 'r')",
            [id, org_id, `test/${began}`]
          )
        }
        await chance()
        const isKept = kind < 0.9
        await client.query(isKept ? "commit" : "rollback")
        written.push({ entries, began, committed: isKept ? ++moment : undefined })
        release()
      }
      active -= 1
      if (waiting.length > 0 && waiting.length === active) release()
      await client.end()
    })
  )
  return written
}

interface LeafRow {
  readonly entry_id: string
  readonly org_id: string
  readonly seq: number
}

layer(TestServer.layer(), { excludeTestServices: true })("ten thousand writers whose commits are delayed", (it) => {
  it.effect(
    "are sealed by several sealers at once: every committed row once, in an order that keeps to the commits",
    () =>
      Effect.gen(function* () {
        const { sql } = yield* TestServer
        const orgs = yield* Effect.all([organization(), organization(), organization()])
        const [database] = yield* sql<{ name: string }>`select current_database() as name`
        const address = withDatabase(inject("admin"), String(database?.name), roles.app)
        const others = yield* Effect.forEach([1, 2, 3], () =>
          Effect.gen(function* () {
            const sealer = yield* AuditSealer
            return yield* Effect.forkScoped(Effect.repeat(Effect.orDie(sealer.seal()), Schedule.spaced("20 millis")))
          }).pipe(Effect.provide(Layer.fresh(AuditSealer.Default)))
        )
        const written = yield* Effect.promise(() => writeAll(address, orgs))
        const kept = written.flatMap(({ entries, began, committed }) =>
          committed === undefined ? [] : entries.map((entry) => ({ ...entry, began, committed }))
        )
        expect(kept.length).toBeGreaterThan(WRITERS * 0.9)
        const leaves = yield* eventually(
          sql<LeafRow>`select entry_id, org_id, seq from audit_leaves
          where org_id in ${sql.in(orgs.map(({ org_id }) => org_id))} order by org_id, seq`,
          (found) => found.length >= kept.length,
          60_000
        )
        yield* Fiber.interruptAll(others)
        // Every committed row once, no other.
        expect(leaves.map(({ entry_id }) => entry_id).sort()).toEqual(kept.map(({ id }) => id).sort())
        const byId = new Map(kept.map((entry) => [entry.id, entry]))
        for (const { org_id } of orgs) {
          const own = leaves.filter((leaf) => leaf.org_id === org_id)
          expect(own.map(({ seq }) => seq)).toEqual(own.map((_, at) => at))
          let latest = 0
          for (const { entry_id } of own) {
            const { began, committed } = byId.get(entry_id)!
            // Nothing stands here that was committed before something began that stands before it.
            expect(committed).toBeGreaterThan(latest)
            latest = Math.max(latest, began)
          }
        }
        // It was sealed while it was written, not all at the end.
        const batches = yield* sql<{ count: number }>`select count(*)::int as count from audit_checkpoints`
        expect(batches[0]?.count).toBeGreaterThan(3)
      }).pipe(Effect.scoped)
  )

  it.effect("leave checkpoints that are signed, go on from one another, and are in the object store", () =>
    Effect.gen(function* () {
      const { sql, data_dir } = yield* TestServer
      const found = yield* sql<{ org_id: string; size: number; note: string; verifier: string }>`
        select org_id, size, note, verifier from audit_checkpoints order by org_id, size`
      for (const { org_id, size, note, verifier } of found) {
        expect(SignedNote.isSignedBy(note, SignedNote.verifier(verifier)!)).toBe(true)
        expect(Checkpoint.fromNote(note)).toMatchObject({ origin: `tracepipe/audit/${org_id}`, size })
      }
      const waiting = sql<{ size: number }>`select size from audit_outbox where delivered < size`
      // As if the minute since the last ones were over.
      yield* sql`update audit_outbox set not_before = now() where delivered < size`
      expect(yield* eventually(waiting, (rows) => rows.length === 0, 60_000)).toEqual([])
      const newest = new Map(found.map((checkpoint) => [checkpoint.org_id, checkpoint]))
      for (const { org_id, size, note } of newest.values()) {
        const file = Bun.file(`${data_dir}/objects/orgs/${org_id}/audit/${size}.txt`)
        expect(yield* Effect.promise(() => file.text())).toBe(note)
      }
    })
  )

  it.effect("go on in the cluster that the database was moved to, whose transactions are counted anew", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const sealer = yield* AuditSealer
      const owner = yield* organization()
      yield* acted(owner, 2)
      const before = yield* order(owner.org_id)
      const entry = (xid: string | undefined) =>
        Effect.gen(function* () {
          const id = Bun.randomUUIDv7()
          const row = {
            id,
            org_id: owner.org_id,
            actor: "user/1",
            action: "test.write",
            resource: "test/1",
            request_id: "r"
          }
          yield* sql`insert into audit_entries ${sql.insert(xid === undefined ? row : { ...row, xid })}`
          return id
        })
      // What a dump brings: the sealer's place, and an entry that was not sealed there, both far ahead of the count here.
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`select pg_advisory_xact_lock(7203114020)`
          yield* sql`update audit_sealer set cluster = 'another', xid = '9000000000000'`
        })
      )
      const [first, second] = [yield* entry("9000000000001"), yield* entry("9000000000002")]
      yield* sealed(owner.org_id)
      const here = yield* entry(undefined)
      yield* sealed(owner.org_id)
      expect(yield* order(owner.org_id)).toEqual([...before, first, second, here])
      const [place] = yield* sql<{ here: boolean }>`select cluster = (select system_identifier::text
        from pg_control_system()) as here from audit_sealer`
      expect(place).toEqual({ here: true })
      expect(yield* sealer.seal()).toBe(0)
    })
  )

  it.effect("know from the migration on in which cluster the entries were written", () =>
    Effect.gen(function* () {
      const { app } = yield* testDatabase
      const rows = yield* Effect.promise(async () => {
        const client = new Pg.Client({ connectionString: app })
        await client.connect()
        const found = await client.query(`select cluster = ${thisCluster} as here, ahead, xid from audit_sealer`)
        await client.end()
        return found.rows
      })
      expect(rows).toEqual([{ here: true, ahead: false, xid: "0" }])
    }).pipe(Effect.scoped)
  )

  const backlogs = [
    ["an upgrade, all of one transaction", thisCluster, "0", "'5'"],
    ["another cluster, ahead of this one's count", "'another'", "9000000000000", "(9000000000000 + n)::text::xid8"],
    ["another cluster, behind this one's count", "'another'", "9000000000000", "(n / 5000 + 1)::text::xid8"]
  ] as const
  it.effect.each(backlogs)("look at the entries of %s, a few times and no more", ([, cluster, place, xid]) =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const sealer = yield* AuditSealer
      const { org_id } = yield* organization()
      yield* sealed(org_id)
      const [before] = yield* sql<{ count: number }>`select count(*)::int as count from audit_entries`
      // In one transaction the database counts what it looks at, and no other sealer takes part.
      const { batches, counts } = yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`select pg_advisory_xact_lock(7203114020)`
          yield* sql`insert into audit_entries (id, org_id, actor, action, resource, request_id, xid)
            select gen_random_uuid(), ${org_id}, 'user/1', 'test.write', 'test/1', 'r', ${sql.unsafe(xid)}
            from generate_series(1, ${OLD}::int) n`
          yield* sql`update audit_sealer set cluster = ${sql.unsafe(cluster)}, xid = ${place}::xid8,
            entry_id = '00000000-0000-0000-0000-000000000000'`
          const looked = sql<{ count: number }>`select sum(seq_tup_read + idx_tup_fetch)::int as count
            from pg_stat_xact_user_tables where relname in ('audit_entries_default', 'audit_leaves')`
          const counts = [yield* looked]
          const batches: Array<number> = []
          for (let left = OLD; left > 0; left -= batches.at(-1)!) {
            batches.push(yield* sealer.seal(1))
            counts.push(yield* looked)
            // As a transaction of its own would begin.
            yield* sql`select set_config(name, 'on', true)
              from unnest('{enable_sort,enable_bitmapscan,enable_seqscan}'::text[]) as name`
            if (batches.length > 200) break
          }
          return { batches, counts: counts.map(([row]) => row?.count ?? 0) }
        })
      )
      expect(batches.reduce((sum, one) => sum + one, 0)).toBe(OLD)
      expect(Math.max(...batches)).toBeLessThanOrEqual(1000)
      // None looks at more than its own entries, and at their leaves where it passes what is sealed.
      const each = counts.slice(1).map((count, at) => count - counts[at]!)
      expect(Math.max(...each)).toBeLessThan(5000)
      expect(counts.at(-1)! - counts[0]!).toBeLessThan(3 * (OLD + before!.count))
      yield* sealed(org_id)
      const found = yield* sql<{ id: string }>`select id from audit_entries where org_id = ${org_id} order by xid, id`
      expect(new Set(yield* order(org_id))).toEqual(new Set(found.map(({ id }) => id)))
    })
  )

  const forgeries = [
    ["frontier and root alike", "root = sha256('forged'), frontier = sha256('forged')", "note .* says something else"],
    ["the frontier alone", "frontier = sha256('forged')", "frontier .* does not lead to its root"],
    ["a frontier of other subtrees", "frontier = frontier || frontier", "frontier .* does not lead to its root"],
    ["the signature", "note = split_part(note, E'\\n\\n', 1) || E'\\n\\n— x AAAA\\n'", "not signed by the service"],
    ["the key", "verifier = 'x+00000000+AAAA'", "not signed by the service"],
    ["a checkpoint that is gone", undefined, "leaves are recorded beyond the 0"]
  ] as const
  it.effect.each(forgeries)("sign nothing on top of what somebody forged: %s", ([, change, reason]) =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const sealer = yield* AuditSealer
      const [forged, other] = [yield* organization(), yield* organization()]
      yield* acted(forged, 1)
      const checkpoints = sql<{ size: number }>`select size from audit_checkpoints where org_id = ${forged.org_id}`
      const before = yield* checkpoints
      const owned = (statement: string) =>
        asOwner(
          "alter table audit_checkpoints disable trigger append_only",
          statement,
          "alter table audit_checkpoints enable trigger append_only"
        )
      const where = `where org_id = '${forged.org_id}'`
      yield* asOwner("drop table if exists kept", `create table kept as select * from audit_checkpoints ${where}`)
      yield* owned(
        change === undefined
          ? `delete from audit_checkpoints ${where}`
          : `update audit_checkpoints set ${change} ${where} and size = (select max(size) from kept)`
      )
      const logged: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        if (logLevel === LogLevel.Error) logged.push(String(message))
      })
      const act = ({ org_id }: Caller) =>
        sql`insert into audit_entries (id, org_id, actor, action, resource, request_id)
          values (gen_random_uuid(), ${org_id}, 'user/1', 'test.write', 'test/1', 'r')`
      const seal = sealer.seal().pipe(Effect.provide(Logger.add(logger)), Logger.withMinimumLogLevel(LogLevel.Error))
      const held = sql<{ org_id: string }>`select org_id from audit_held where org_id = ${forged.org_id}`
      const look = sql`update audit_held set not_before = now() where org_id = ${forged.org_id}`
      yield* act(forged)
      yield* act(other)
      expect(yield* eventually(Effect.zipRight(seal, held), (rows) => rows.length === 1)).toHaveLength(1)
      yield* sealed(other.org_id)
      yield* act(other)
      yield* sealed(other.org_id)
      expect(yield* checkpoints).toEqual(change === undefined ? [] : before)
      // Where the server's own sealer came first, it logged; a minute later whoever looks does so again.
      yield* eventually(Effect.zipRight(look, seal), () => logged.length > 0)
      expect(logged.at(-1)).toMatch(new RegExp(`organization ${forged.org_id} is not sealed.*${reason}`))
      const [due] = yield* sql<{ due: boolean }>`select not_before <= now() + interval '50 seconds' as due
        from audit_held where org_id = ${forged.org_id}`
      expect(due).toEqual({ due: false })
      // Put right, it goes on with what was passed over.
      yield* owned(`delete from audit_checkpoints ${where}`)
      yield* asOwner("insert into audit_checkpoints select * from kept", "drop table kept")
      yield* eventually(Effect.zipRight(Effect.zipRight(look, seal), held), (rows) => rows.length === 0)
      yield* sealed(forged.org_id)
      expect((yield* checkpoints).length).toBeGreaterThan(before.length)
    })
  )

  it.effect("lose no checkpoint to an object store that fails", () =>
    Effect.gen(function* () {
      const { sql, data_dir } = yield* TestServer
      const sealer = yield* AuditSealer
      const owner = yield* organization()
      const folder = `${data_dir}/objects/orgs/${owner.org_id}`
      // No folder can be made where there is a file.
      yield* Effect.promise(() => Bun.write(`${folder}/audit`, "in the way"))
      yield* acted(owner, 1)
      yield* sealer.deliver()
      const waiting = sql<{ size: number }>`select size from audit_outbox
        where org_id = ${owner.org_id} and delivered < size`
      expect(yield* waiting).toEqual([{ size: 1 }])
      yield* Effect.promise(() => rm(`${folder}/audit`))
      // As if the time of whoever took it were over.
      yield* sql`update audit_outbox set not_before = now() where org_id = ${owner.org_id}`
      yield* sealer.deliver()
      expect(yield* eventually(waiting, (rows) => rows.length === 0)).toEqual([])
      const [kept] = yield* sql<{ note: string }>`select note from audit_checkpoints where org_id = ${owner.org_id}`
      expect(yield* Effect.promise(() => Bun.file(`${folder}/audit/1.txt`).text())).toBe(kept?.note)
    })
  )

  it.effect("write the newest checkpoint of an organization, one a minute, and leave those in between out", () =>
    Effect.gen(function* () {
      const { sql, data_dir } = yield* TestServer
      const sealer = yield* AuditSealer
      const owner = yield* organization()
      const place = sql<{ size: number; delivered: number; is_later: boolean }>`select size, delivered,
        not_before > now() + interval '30 seconds' as is_later from audit_outbox where org_id = ${owner.org_id}`
      const delivered = eventually(Effect.zipRight(sealer.deliver(), place), ([row]) => row?.delivered === row?.size)
      const objects = Effect.promise(() => readdir(`${data_dir}/objects/orgs/${owner.org_id}/audit`))
      const notes = Effect.map(objects, (names) => names.filter((name) => /^\d+\.txt$/.test(name)).sort())
      yield* acted(owner, 1)
      const [first] = yield* delivered
      expect(first?.is_later).toBe(true)
      const begun = yield* notes
      expect(begun).toEqual([`${first?.size}.txt`])
      for (let count = 0; count < 3; count++) yield* acted(owner, 1)
      yield* sealer.deliver()
      const [later] = yield* place
      expect(later?.size).toBeGreaterThan(first!.size + 2)
      expect(later).toMatchObject({ delivered: first?.size, is_later: true })
      expect(yield* notes).toEqual(begun)
      const sizes = yield* sql<{ size: number }>`select size from audit_checkpoints where org_id = ${owner.org_id}`
      expect(sizes.length).toBeGreaterThan(3)
      // As if the minute were over.
      yield* sql`update audit_outbox set not_before = now() where org_id = ${owner.org_id}`
      expect((yield* delivered)[0]).toMatchObject({ size: later?.size, delivered: later?.size })
      expect(yield* notes).toEqual([...begun, `${later?.size}.txt`].sort())
    })
  )

  it.effect("write all that waits in one round, of however many organizations", () =>
    Effect.gen(function* () {
      const { sql, data_dir } = yield* TestServer
      const sealer = yield* AuditSealer
      const orgs = Array.from({ length: 120 }, () => crypto.randomUUID())
      // In one transaction: the server's own round cannot begin in between.
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`insert into audit_checkpoints (org_id, size, root, frontier, note, verifier)
            select id, 1, sha256('x'), sha256('x'), 'a note', 'a key' from unnest(${orgs}::uuid[]) as o(id)`
          yield* sql`insert into audit_outbox (org_id, size) select id, 1 from unnest(${orgs}::uuid[]) as o(id)`
          yield* sealer.deliver()
          const left = yield* sql<{ count: number }>`select count(*)::int as count from audit_outbox
            where org_id = any(${orgs}::uuid[]) and delivered < size`
          expect(left).toEqual([{ count: 0 }])
        })
      )
      for (const org_id of orgs) {
        const file = Bun.file(`${data_dir}/objects/orgs/${org_id}/audit/1.txt`)
        expect(yield* Effect.promise(() => file.text())).toBe("a note")
      }
    })
  )
})
