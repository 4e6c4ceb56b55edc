import { Schema } from "effect"
import { NotFound } from "../Errors.ts"
import { AuditEntryId, OrganizationId } from "../Ids.ts"
import { problem } from "../Problem.ts"

const Digest = Schema.NullOr(Schema.String.pipe(Schema.pattern(/^[0-9a-f]{64}$/)))

/**
 * One thing that was done. The leaf of its organization's Merkle tree covers every field but `seq`,
 * `leaf_hash`, `ip` and `personal`: SHA-256 over a zero byte and the canonical JSON (RFC 8785) of the others.
 */
export class AuditEntry extends Schema.Class<AuditEntry>("AuditEntry")({
  id: AuditEntryId,
  org_id: OrganizationId,
  seq: Schema.NullOr(Schema.Int).annotations({
    description: "Its place in the sealed log, from 0 on; null for about a second, until it is sealed"
  }),
  leaf_hash: Digest.annotations({ description: "The hash of its leaf; null until it is sealed" }),
  at: Schema.String.annotations({
    jsonSchema: { type: "string", format: "date-time", description: "ISO 8601 in UTC, to the microsecond" }
  }),
  xid: Schema.String.annotations({ description: "The database transaction that wrote it; the log is in their order" }),
  actor: Schema.String.annotations({ description: "`user/<id>`, `agent/<id>`, `api_key/<id>` or `system`" }),
  action: Schema.String.annotations({ description: "`<resource>.<verb>`, such as `suite.create`" }),
  resource: Schema.String.annotations({ description: "`<kind>/<id>`" }),
  before_digest: Digest.annotations({
    description:
      "SHA-256 over the canonical JSON of what was there before; of a person, HMAC-SHA-256 with their data key"
  }),
  after_digest: Digest.annotations({ description: "The same of what was there after" }),
  detail: Schema.NullOr(Schema.String).annotations({ description: "Why, where something was refused" }),
  request_id: Schema.String,
  ip: Schema.NullOr(Schema.String).annotations({
    description: "Where it came from; null where nobody knows, and once the person was erased"
  }),
  personal_digest: Digest.annotations({ description: "SHA-256 over the bytes of `personal`" }),
  personal: Schema.NullOr(Schema.String).annotations({
    description: "What is personal in it, in base64, encrypted with a key of the person's own"
  })
}) {}

/** The newest state of the log that was signed, or an older one. */
export class AuditCheckpoint extends Schema.Class<AuditCheckpoint>("AuditCheckpoint")({
  origin: Schema.String.annotations({ description: "The name of the log" }),
  size: Schema.Int.annotations({ description: "How many entries it covers: those with a lower `seq`" }),
  root_hash: Schema.String.annotations({ description: "The root of their Merkle tree (RFC 6962), in hex" }),
  note: Schema.String.annotations({ description: "The same, signed: a C2SP tlog-checkpoint. Keep it elsewhere." }),
  public_key: Schema.String.annotations({ description: "What its signature is checked with (C2SP signed-note)" }),
  created_at: Schema.String.annotations({ jsonSchema: { type: "string", format: "date-time" } }),
  consistency: Schema.NullOr(Schema.Struct({ from: Schema.Int, hashes: Schema.Array(Schema.String) })).annotations({
    description: "The proof (RFC 9162) that it goes on from the log of `from` entries, where that was asked for"
  })
}) {}

/** The proof that an entry is in the log. */
export class AuditProof extends Schema.Class<AuditProof>("AuditProof")({
  seq: Schema.Int,
  leaf_hash: Schema.String.annotations({ description: "In hex, as all hashes here" }),
  hashes: Schema.Array(Schema.String).annotations({
    description: "From the leaf up to the root: the audit path of RFC 9162"
  }),
  checkpoint: AuditCheckpoint
}) {}

/** The entry is there, and older transactions are still open: what stands before it is not known yet. */
export class NotSealedYet extends Schema.TaggedError<NotSealedYet>("NotSealedYet")(
  "NotSealedYet",
  { id: AuditEntryId },
  problem(409, "conflict", "The entry is not sealed yet")
) {
  override get message() {
    return `the entry ${this.id} is not sealed yet: an older transaction is still open; try again in a second`
  }
}

export const auditEntryNotFound = (id: AuditEntryId) => new NotFound({ detail: `there is no audit entry ${id}` })
