import canonicalize from "canonicalize"
import { type Hash, leafHash } from "./Merkle.ts"

/** What the leaf of an entry covers: every column of its row. */
export interface LeafEntry {
  readonly id: string
  readonly org_id: string
  /** ISO 8601 in UTC, to the microsecond. */
  readonly at: string
  /** The number of the transaction that wrote it. */
  readonly xid: string
  readonly actor: string
  readonly action: string
  readonly resource: string
  readonly before_digest: string | null
  readonly after_digest: string | null
  readonly detail: string | null
  readonly request_id: string
  readonly personal_digest: string | null
}

/** The bytes of an entry: the canonical JSON (RFC 8785) of an object with these fields and no others. */
const leafBytes = (entry: LeafEntry): Uint8Array => {
  const { id, org_id, at, xid, actor, action, resource } = entry
  const { before_digest, after_digest, detail, request_id, personal_digest } = entry
  const covered = {
    ...{ id, org_id, at, xid, actor, action, resource },
    ...{ before_digest, after_digest, detail, request_id, personal_digest }
  }
  return Buffer.from(canonicalize(covered) ?? "")
}

/** The leaf of an entry in its organization's tree. */
export const leafOf = (entry: LeafEntry): Hash => leafHash(leafBytes(entry))
