import { createHmac, timingSafeEqual } from "node:crypto"

/** What a URL lets its holder do: send one part of one upload, until then. */
export interface Grant {
  readonly id: string
  readonly number: number
  /** Seconds since the epoch. */
  readonly expires: number
}

const signature = (key: string, { id, number, expires }: Grant) =>
  createHmac("sha256", Buffer.from(key, "base64url")).update(`PUT\n${id}\n${number}\n${expires}`).digest()

/** The path and query of a URL that holds for the grant alone. */
export const signedPath = (key: string, grant: Grant): string =>
  `/v1/uploads/direct/${grant.id}/part?number=${grant.number}&expires=${grant.expires}&signature=${signature(key, grant).toString("hex")}`

/** Whether the signature was made with the key, and for this grant. Takes the same time for every wrong one. */
export const isSigned = (key: string, grant: Grant, given: string): boolean => {
  const bytes = Buffer.from(given, "hex")
  const right = signature(key, grant)
  return bytes.length === right.length && timingSafeEqual(bytes, right)
}
