import type { OrganizationId } from "../../domain/Ids.ts"
import type { Hash } from "./Merkle.ts"
import { textOf } from "./SignedNote.ts"

/** What a checkpoint says: so many entries, and nothing but them, lead to this root. */
export interface Checkpoint {
  readonly origin: string
  readonly size: number
  readonly root: Hash
}

/** The name of an organization's log. */
export const originOf = (org_id: OrganizationId): string => `tracepipe/audit/${org_id}`

/** The text of a checkpoint as C2SP tlog-checkpoint has it: origin, size, root. */
export const toText = ({ origin, size, root }: Checkpoint): string =>
  `${origin}\n${size}\n${Buffer.from(root).toString("base64")}\n`

/** The checkpoint that a signed note holds; undefined where it holds none. Says nothing of its signatures. */
export const fromNote = (note: string): Checkpoint | undefined => {
  const [origin = "", size = "", encoded = ""] = textOf(note)?.split("\n") ?? []
  const root = new Uint8Array(Buffer.from(encoded, "base64"))
  const isWhole = origin !== "" && /^(0|[1-9]\d{0,14})$/.test(size) && root.length === 32
  return isWhole ? { origin, size: Number(size), root } : undefined
}
