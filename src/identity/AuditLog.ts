import { Chunk, DateTime, Effect, Option, Stream } from "effect"
import { NotFound } from "../domain/Errors.ts"
import type { AuditEntryId, OrganizationId } from "../domain/Ids.ts"
import {
  AuditCheckpoint,
  AuditEntry,
  AuditProof,
  auditEntryNotFound,
  NotSealedYet
} from "../domain/identity/AuditEntry.ts"
import type { Keyset as Position } from "../domain/Page.ts"
import { CurrentPrincipal, scope, withPolicy } from "../domain/Principal.ts"
import * as Keyset from "../platform/Keyset.ts"
import { type AuditFilter, AuditRepo, type AuditRow, type CheckpointRow, type SealedRow } from "./AuditRepo.ts"
import { AuditSealer } from "./AuditSealer.ts"
import { AuditSigner } from "./AuditSigner.ts"
import * as Checkpoint from "./audit/Checkpoint.ts"
import { consistencyRanges, emptyRoot, inclusionRanges, type Range } from "./audit/Merkle.ts"
import { hashesOf } from "./audit/Nodes.ts"
import * as Personal from "./audit/Personal.ts"
import * as SignedNote from "./audit/SignedNote.ts"
import { DataKeys } from "./DataKeys.ts"
import type { KeyOwner } from "./DataKeysRepo.ts"

type Keyed = Pick<AuditRow, "ciphertext" | "key_id" | "key_user_id" | "key_org_id" | "wrapped" | "kek_version">

const rowsAtOnce = 500

const hex = (hash: Uint8Array) => Buffer.from(hash).toString("hex")

/** Whose key it is, as it was when the entry was written. */
const ownerOf = ({ key_user_id, key_org_id }: Keyed): KeyOwner =>
  // A row of data_keys has one of the two, and the ids of the tables that it references.
  (key_user_id === null ? { kind: "organization", id: key_org_id } : { kind: "user", id: key_user_id }) as KeyOwner

/** The audit log, read: its entries, its checkpoints, and the proofs that they belong together. */
export class AuditLog extends Effect.Service<AuditLog>()("identity/AuditLog", {
  dependencies: [AuditRepo.Default, AuditSealer.Default, AuditSigner.Default, DataKeys.Default],
  effect: Effect.gen(function* () {
    const repo = yield* AuditRepo
    const sealer = yield* AuditSealer
    const { signers } = yield* AuditSigner
    const keys = yield* DataKeys
    const allowed = withPolicy(scope("audit:read"))

    /** What is personal of an entry; null where there is nothing, or nobody can read it any more. */
    const ipOf = (entry_id: AuditEntryId, row: Keyed) =>
      Effect.gen(function* () {
        const { ciphertext, key_id, wrapped, kek_version } = row
        if (ciphertext === null || key_id === null || wrapped === null || kek_version === null) return null
        const key = yield* keys.unwrap({ id: key_id, wrapped, kek_version })
        return key === undefined ? null : (Personal.open(ciphertext, key, entry_id, ownerOf(row))?.ip ?? null)
      })

    const base64 = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString("base64"))

    const shown = ({ seq, leaf_hash, ...row }: AuditRow) =>
      Effect.map(ipOf(row.id, row), (ip) => {
        const { ciphertext, key_id, key_user_id, key_org_id, wrapped, kek_version, ...covered } = row
        return new AuditEntry(
          { ...covered, seq, leaf_hash, ip, personal: base64(ciphertext) },
          { disableValidation: true }
        )
      })

    const list = Effect.fn("AuditLog.list")(function* (
      filter: AuditFilter,
      query: { readonly limit: number; readonly cursor?: string }
    ) {
      const { org_id } = yield* CurrentPrincipal
      const keyset = yield* Keyset.position(query.cursor)
      const { items, next_cursor } = Keyset.page(yield* repo.list(org_id, filter, keyset, query.limit), query.limit)
      return { items: yield* Effect.forEach(items, shown), next_cursor }
    }, allowed)

    // What leaves the service cannot be erased any more: what is personal goes out encrypted alone.
    const line = ({ entry, seq, leaf_hash, entry_id, ciphertext }: SealedRow) =>
      // Where somebody removed the entry, what is left is told, for the verification to name it.
      entry === null
        ? `${JSON.stringify({ seq, leaf_hash, id: entry_id, missing: true })}\n`
        : `${JSON.stringify({ seq, leaf_hash, ...entry, personal: base64(ciphertext) })}\n`

    /** The sealed entries that fit as JSON Lines, in the order of the log. */
    const lines = Effect.fn("AuditLog.lines")(function* (filter: AuditFilter) {
      const { org_id } = yield* CurrentPrincipal
      return Stream.paginateEffect(0, (from) =>
        Effect.gen(function* () {
          const rows = yield* repo.sealed(org_id, filter, from, rowsAtOnce)
          const last = rows.at(-1)
          const next = rows.length === rowsAtOnce && last !== undefined ? Option.some(last.seq + 1) : Option.none()
          return [rows.map(line).join(""), next] as const
        })
      ).pipe(Stream.encodeText)
    }, allowed)

    /** What one actor did in an organization, newest first; for who may see it. */
    const by = (org_id: OrganizationId, actor: string) =>
      Stream.paginateChunkEffect(undefined as Position | undefined, (position) =>
        Effect.gen(function* () {
          const rows = yield* repo.list(org_id, { actor }, position, rowsAtOnce)
          const page = rows.slice(0, rowsAtOnce)
          const last = page.at(-1)
          const next =
            rows.length > rowsAtOnce && last !== undefined ? { at: last.position_at, id: last.id } : undefined
          const entries = yield* Effect.forEach(page, ({ position_at: _position_at, ...row }) => shown(row))
          return [Chunk.unsafeFromArray(entries), Option.fromNullable(next)] as const
        })
      )

    const hashes = (org_id: OrganizationId, ranges: ReadonlyArray<Range>) =>
      Effect.map(
        hashesOf(ranges, (stored) => repo.hashes(org_id, stored)),
        (found) => found.map(hex)
      )

    /** Nothing is sealed yet: that can be signed too. */
    const empty = (org_id: OrganizationId) =>
      Effect.gen(function* () {
        const signer = (yield* Effect.orDie(signers))(org_id)
        const note = SignedNote.sign(Checkpoint.toText({ origin: signer.name, size: 0, root: emptyRoot }), signer)
        const created_at = DateTime.formatIso(yield* DateTime.now)
        return { size: 0, root: emptyRoot, note, verifier: signer.verifier, created_at } satisfies CheckpointRow
      })

    const signed = (org_id: OrganizationId, size: number | undefined) =>
      Effect.gen(function* () {
        const found = yield* repo.checkpoint(org_id, size)
        if (found !== undefined) return found
        if (size === undefined || size === 0) return yield* empty(org_id)
        return yield* new NotFound({ detail: `there is no checkpoint of ${size} entries` })
      })

    const toCheckpoint = (
      org_id: OrganizationId,
      { size, root, note, verifier, created_at }: CheckpointRow,
      consistency: AuditCheckpoint["consistency"]
    ) =>
      new AuditCheckpoint({
        origin: Checkpoint.originOf(org_id),
        size,
        root_hash: hex(root),
        note,
        public_key: verifier,
        created_at,
        consistency
      })

    /** The newest signed checkpoint, or that of a size; with the proof that it goes on from an older size. */
    const checkpoint = Effect.fn("AuditLog.checkpoint")(function* (query: {
      readonly size?: number
      readonly from?: number
    }) {
      const { org_id } = yield* CurrentPrincipal
      const found = yield* signed(org_id, query.size)
      const { from } = query
      if (from === undefined) return toCheckpoint(org_id, found, null)
      if (from > found.size) {
        return yield* new NotFound({
          detail: `the checkpoint has ${found.size} entries, which is less than ${from}`
        })
      }
      const proof = yield* hashes(org_id, consistencyRanges(from, found.size))
      return toCheckpoint(org_id, found, { from, hashes: proof })
    }, allowed)

    const sealedEntry = (org_id: OrganizationId, id: AuditEntryId) =>
      Effect.gen(function* () {
        const found = (yield* repo.find(org_id, id)) ?? (yield* auditEntryNotFound(id))
        if (found.seq !== null) return found
        // Nobody has to wait for the second to be over, nor for all that an upgrade left to be sealed.
        yield* Effect.orDie(sealer.seal(1))
        return (yield* repo.find(org_id, id)) ?? (yield* auditEntryNotFound(id))
      })

    /** The proof that an entry is in the newest checkpoint. */
    const proof = Effect.fn("AuditLog.proof")(function* (id: AuditEntryId) {
      const { org_id } = yield* CurrentPrincipal
      const { seq, leaf_hash } = yield* sealedEntry(org_id, id)
      const newest = yield* signed(org_id, undefined)
      if (seq === null || leaf_hash === null || seq >= newest.size) return yield* new NotSealedYet({ id })
      const path = yield* hashes(org_id, inclusionRanges(seq, newest.size))
      return new AuditProof({ seq, leaf_hash, hashes: path, checkpoint: toCheckpoint(org_id, newest, null) })
    }, allowed)

    return { list, lines, by, checkpoint, proof } as const
  })
}) {}
