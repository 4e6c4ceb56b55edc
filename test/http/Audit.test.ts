import { expect, layer } from "@effect/vitest"
import canonicalize from "canonicalize"
import { Effect } from "effect"
import Pg from "pg"
import { inject } from "vitest"
import * as Checkpoint from "../../src/identity/audit/Checkpoint.ts"
import { leafOf } from "../../src/identity/audit/Leaf.ts"
import { verifyConsistency, verifyInclusion } from "../../src/identity/audit/Merkle.ts"
import * as SignedNote from "../../src/identity/audit/SignedNote.ts"
import { Refusals } from "../../src/identity/Refusals.ts"
import { acted, exported } from "../support/AuditLogs.ts"
import { roles, withDatabase } from "../support/globalSetup.ts"
import { key, member, organization } from "../support/Organizations.ts"
import { client, TestServer } from "../support/TestServer.ts"

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"))

const all = { limit: 100 }

layer(TestServer.layer(), { excludeTestServices: true })("the audit log", (it) => {
  it.effect("is listed newest first, page by page, by who did what to what and when", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const other = yield* member(owner.org_id)
      yield* acted(owner, 3)
      yield* acted(other, 2)
      const { audit } = yield* client(owner.api_key)
      const { items } = yield* audit.list({ urlParams: all })
      expect(items.map(({ actor }) => actor)).toEqual([
        ...Array(2).fill(`user/${other.user_id}`),
        ...Array(3).fill(`user/${owner.user_id}`)
      ])
      expect(items.map(({ seq }) => seq)).toEqual([4, 3, 2, 1, 0])
      expect(items[0]).toMatchObject({ org_id: owner.org_id, ip: expect.stringMatching(/127\.0\.0\.1$/), detail: null })
      const paged: Array<string> = []
      let cursor: string | null | undefined
      while (cursor !== null) {
        const page = yield* audit.list({ urlParams: { limit: 2, ...(cursor === undefined ? {} : { cursor }) } })
        paged.push(...page.items.map(({ id }) => id))
        cursor = page.next_cursor
      }
      expect(paged).toEqual(items.map(({ id }) => id))
      const seqs = (query: object) =>
        Effect.map(audit.list({ urlParams: { ...all, ...query } }), (page) => page.items.map(({ seq }) => seq))
      expect(yield* seqs({ actor: `user/${other.user_id}` })).toEqual([4, 3])
      expect(yield* seqs({ resource: items[3]?.resource })).toEqual([1])
      expect(yield* seqs({ action: "suite.create", actor: `user/${owner.user_id}` })).toEqual([2, 1, 0])
      expect(yield* seqs({ action: "suite.delete" })).toEqual([])
    })
  )

  it.effect("has no digest of a person that a guess could be held against", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const { audit, users, suites } = yield* client(owner.api_key)
      const plain = (value: object) => Bun.SHA256.hash(String(canonicalize(JSON.parse(JSON.stringify(value)))), "hex")
      const digests = (action: string) =>
        Effect.map(audit.list({ urlParams: { ...all, action } }), ({ items }) =>
          items.map(({ after_digest }) => after_digest)
        )
      const suite = yield* suites.create({
        payload: { name: "Coffee shop", description: "", version: "", base_url: null }
      })
      expect(yield* digests("suite.create")).toEqual([plain({ ...suite })])
      const made = yield* users.create({ payload: { display_name: "Ada", email: "ada@example.org", role: "member" } })
      const [found] = yield* digests("user.create")
      expect(found).toMatch(/^[0-9a-f]{64}$/)
      expect(found).not.toBe(plain({ ...made }))
    })
  )

  it.effect("is exported in its order, each line with all that its leaf covers", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      yield* acted(owner, 3)
      const lines = (yield* exported(owner))
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
      expect(lines.map(({ seq }) => seq)).toEqual([0, 1, 2])
      for (const line of lines) expect(Buffer.from(leafOf(line)).toString("hex")).toBe(line.leaf_hash)
      const { audit } = yield* client(owner.api_key)
      const { items } = yield* audit.list({ urlParams: all })
      // But for what is personal, which leaves the service encrypted alone.
      expect(items.toReversed().map(({ ip: _ip, ...entry }) => entry)).toEqual(lines)
    })
  )

  it.effect("has proofs that anybody can check: of an entry, and from an older checkpoint to the newest", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const { audit } = yield* client(owner.api_key)
      const empty = yield* audit.checkpoint({ urlParams: {} })
      expect(empty.size).toBe(0)
      yield* acted(owner, 300)
      const older = yield* audit.checkpoint({ urlParams: {} })
      yield* acted(owner, 40)
      const newest = yield* audit.checkpoint({ urlParams: { from: older.size } })
      expect([older.size, newest.size]).toEqual([300, 340])
      for (const { note, public_key, size, root_hash } of [empty, older, newest]) {
        expect(SignedNote.isSignedBy(note, SignedNote.verifier(public_key)!)).toBe(true)
        expect(Checkpoint.fromNote(note)).toEqual({
          origin: `tracepipe/audit/${owner.org_id}`,
          size,
          root: bytes(root_hash)
        })
      }
      const { consistency, ...plain } = newest
      expect(
        verifyConsistency({
          from: older.size,
          size: newest.size,
          from_root: bytes(older.root_hash),
          root: bytes(newest.root_hash),
          proof: (consistency?.hashes ?? []).map(bytes)
        })
      ).toBe(true)
      expect(yield* audit.checkpoint({ urlParams: { size: 300 } })).toEqual(older)
      expect(yield* Effect.flip(audit.checkpoint({ urlParams: { size: 1000 } }))).toMatchObject({ _tag: "NotFound" })
      expect(yield* Effect.flip(audit.checkpoint({ urlParams: { from: 1000 } }))).toMatchObject({
        _tag: "NotFound"
      })
      const { items } = yield* audit.list({ urlParams: { limit: 50 } })
      for (const { id, seq, leaf_hash } of [items[0]!, items[39]!, items[40]!, items[49]!]) {
        const proof = yield* audit.proof({ path: { id } })
        expect(proof).toMatchObject({ seq, leaf_hash, checkpoint: { ...plain } })
        const shown = {
          index: proof.seq,
          size: proof.checkpoint.size,
          leaf: bytes(proof.leaf_hash),
          root: bytes(proof.checkpoint.root_hash),
          proof: proof.hashes.map(bytes)
        }
        expect(verifyInclusion(shown)).toBe(true)
        expect(verifyInclusion({ ...shown, leaf: bytes("00".repeat(32)) })).toBe(false)
      }
    })
  )

  it.effect("proves no entry while an older transaction is open, and says so", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const owner = yield* organization()
      const [database] = yield* sql<{ name: string }>`select current_database() as name`
      const older = new Pg.Client({
        connectionString: withDatabase(inject("admin"), String(database?.name), roles.app)
      })
      yield* Effect.promise(() => older.connect())
      yield* Effect.promise(() => older.query("begin; select pg_current_xact_id()"))
      const { suites, audit } = yield* client(owner.api_key)
      yield* suites.create({ payload: { name: "Coffee shop", description: "", version: "", base_url: null } })
      const { items } = yield* audit.list({ urlParams: all })
      const path = { id: items[0]!.id }
      expect(items[0]).toMatchObject({ seq: null, leaf_hash: null })
      expect(yield* Effect.flip(audit.proof({ path }))).toMatchObject({ _tag: "NotSealedYet", id: path.id })
      yield* Effect.promise(() => older.query("commit"))
      yield* Effect.promise(() => older.end())
      expect(yield* audit.proof({ path })).toMatchObject({ seq: 0 })
    })
  )

  it.effect("tells of denied accesses, once a minute however often they come, and then how often", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const { api_key } = yield* key(owner, { scopes: ["suites:read"] })
      const limited = yield* client(api_key)
      for (let at = 0; at < 3; at++) {
        expect(yield* Effect.flip(limited.audit.list({ urlParams: all }))).toMatchObject({ _tag: "Forbidden" })
      }
      const { audit } = yield* client(owner.api_key)
      const denials = Effect.map(audit.list({ urlParams: { ...all, action: "access.deny" } }), ({ items }) =>
        items.map(({ actor, resource, detail }) => ({ actor, resource, detail }))
      )
      const denial = {
        actor: `user/${owner.user_id}`,
        resource: "endpoint//v1/audit/logs",
        detail: "GET: the scope audit:read is needed"
      }
      expect(yield* denials).toEqual([denial])
      const refusals = yield* Refusals
      yield* refusals.flush
      expect(yield* denials).toEqual([{ ...denial, detail: `${denial.detail} (2 more times)` }, denial])
    })
  )

  it.effect("tells of failed authentications without a principal, and is not flooded by them", () =>
    Effect.gen(function* () {
      const { org_id, api_key, user_id, key_id } = yield* organization()
      const refusals = yield* Refusals
      const failed = { org_id: org_id as never, user_id: user_id as never, reason: "the key is revoked" }
      for (let at = 0; at < 200; at++) {
        yield* refusals.authentication({ ...failed, credential: at < 100 ? `api_key/${key_id}` : `api_key/${at}` })
      }
      yield* refusals.flush
      const { audit } = yield* client(api_key)
      const { items } = yield* audit.list({ urlParams: { ...all, action: "auth.fail" } })
      expect(items.length).toBeLessThan(65)
      const details = items.map(({ detail }) => detail)
      expect(details).toEqual(
        expect.arrayContaining([
          "the key is revoked",
          "the key is revoked (99 more times)",
          "further refusals of other kinds (41 more times)"
        ])
      )
    })
  )
})
