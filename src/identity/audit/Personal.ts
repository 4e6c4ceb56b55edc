import type { DataKey } from "../DataKeys.ts"
import type { KeyOwner } from "../DataKeysRepo.ts"
import * as Sealing from "./Sealing.ts"

/** What is personal in an audit entry. */
export interface Personal {
  readonly ip: string
}

const about = (entry_id: string, { kind, id }: KeyOwner) => `audit|${entry_id}|${kind}/${id}`

/** Encrypts it for one entry of one owner: moved to another entry it cannot be read. */
export const seal = (personal: Personal, { key }: DataKey, entry_id: string, owner: KeyOwner) => {
  const ciphertext = Sealing.seal(key, Buffer.from(JSON.stringify(personal)), about(entry_id, owner))
  return { ciphertext, digest: new Bun.CryptoHasher("sha256").update(ciphertext).digest("hex") }
}

/** Reads it; undefined where the key is another, or anything was changed. */
export const open = (
  ciphertext: Uint8Array,
  { key }: DataKey,
  entry_id: string,
  owner: KeyOwner
): Personal | undefined => {
  const plain = Sealing.open(key, ciphertext, about(entry_id, owner))
  return plain === undefined ? undefined : JSON.parse(plain.toString())
}
