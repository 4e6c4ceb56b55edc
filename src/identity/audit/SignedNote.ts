import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes
} from "node:crypto"

/** C2SP signed-note with Ed25519: a text, an empty line, and signatures by name and key id. */

const ED25519 = 1
const idLength = 4

/** What DER puts before the 32 bytes of an Ed25519 seed (PKCS#8) and public key (SPKI), RFC 8410. */
const privatePrefix = Buffer.from("302e020100300506032b657004220420", "hex")
const publicPrefix = Buffer.from("302a300506032b6570032100", "hex")

export interface Signer {
  readonly name: string
  readonly id: Buffer
  readonly private_key: KeyObject
  /** `<name>+<id in hex>+<base64 of type and key>`: what others need to check signatures. */
  readonly verifier: string
}

export interface Verifier {
  readonly name: string
  readonly id: Buffer
  readonly public_key: KeyObject
}

const keyId = (name: string, typed: Uint8Array): Buffer =>
  Buffer.from(new Bun.CryptoHasher("sha256").update(`${name}\n`).update(typed).digest()).subarray(0, idLength)

/** The signer of a name, out of the 32 bytes of its seed. */
export const signer = (name: string, seed: Uint8Array): Signer => {
  const private_key = createPrivateKey({ key: Buffer.concat([privatePrefix, seed]), format: "der", type: "pkcs8" })
  const der = createPublicKey(private_key).export({ format: "der", type: "spki" })
  const typed = Buffer.concat([Uint8Array.of(ED25519), der.subarray(publicPrefix.length)])
  const id = keyId(name, typed)
  return { name, id, private_key, verifier: `${name}+${id.toString("hex")}+${typed.toString("base64")}` }
}

/** Reads a verifier key; undefined where the text is none, or its id is not that of its key. */
export const verifier = (text: string): Verifier | undefined => {
  const [, name, hex, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(text.trim()) ?? []
  if (name === undefined || hex === undefined || encoded === undefined) return undefined
  const typed = Buffer.from(encoded, "base64")
  const id = keyId(name, typed)
  if (typed.length !== 33 || typed[0] !== ED25519 || id.toString("hex") !== hex) return undefined
  const key = Buffer.concat([publicPrefix, typed.subarray(1)])
  return { name, id, public_key: createPublicKey({ key, format: "der", type: "spki" }) }
}

/** The note of a text, which ends in a newline. */
export const sign = (text: string, { name, id, private_key }: Signer): string => {
  const signature = signBytes(null, Buffer.from(text), private_key)
  return `${text}\n— ${name} ${Buffer.concat([id, signature]).toString("base64")}\n`
}

/** The text of a note, without its signatures; undefined where it is no note. */
export const textOf = (note: string): string | undefined => {
  const end = note.lastIndexOf("\n\n— ")
  return end < 0 ? undefined : note.slice(0, end + 1)
}

/** True when one of the note's signatures is the verifier's, and is right. */
export const isSignedBy = (note: string, { name, id, public_key }: Verifier): boolean => {
  const text = textOf(note)
  if (text === undefined) return false
  return note
    .slice(text.length + 1)
    .split("\n")
    .some((line) => {
      const [, by, encoded = ""] = /^— (\S+) (\S+)$/.exec(line) ?? []
      const bytes = Buffer.from(encoded, "base64")
      return (
        by === name &&
        bytes.subarray(0, idLength).equals(id) &&
        verifyBytes(null, Buffer.from(text), public_key, bytes.subarray(idLength))
      )
    })
}
