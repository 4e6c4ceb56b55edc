import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"
import { Data } from "effect"

/** Length of keys in bytes: AES-256. */
export const keyLength = 32
const nonceLength = 12
const tagLength = 16

export interface Sealed {
  readonly nonce: Uint8Array
  /** The 16 bytes of the tag are its last. */
  readonly ciphertext: Uint8Array
}

/** What was sealed is not what is here: another key, another place, or a changed byte. */
export class NotAuthentic extends Data.TaggedError("NotAuthentic") {}

/** AES-256-GCM (NIST SP 800-38D) with a random nonce; `about` is authenticated and not kept. */
export const seal = (key: Uint8Array, plain: Uint8Array, about: string): Sealed => {
  const nonce = randomBytes(nonceLength)
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: tagLength })
  cipher.setAAD(Buffer.from(about))
  const ciphertext = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
  return { nonce, ciphertext }
}

/** The inverse of {@link seal}; throws {@link NotAuthentic}. */
export const open = (key: Uint8Array, { nonce, ciphertext }: Sealed, about: string): Uint8Array => {
  if (ciphertext.length < tagLength || nonce.length !== nonceLength) throw new NotAuthentic()
  const end = ciphertext.length - tagLength
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagLength })
  decipher.setAAD(Buffer.from(about))
  decipher.setAuthTag(ciphertext.subarray(end))
  try {
    return Buffer.concat([decipher.update(ciphertext.subarray(0, end)), decipher.final()])
  } catch {
    throw new NotAuthentic()
  }
}

/** A key under another one: nonce and ciphertext in one. */
export const wrap = (kek: Uint8Array, key: Uint8Array, about: string): Uint8Array => {
  const { nonce, ciphertext } = seal(kek, key, about)
  return Buffer.concat([nonce, ciphertext])
}

/** The inverse of {@link wrap}; throws {@link NotAuthentic}. */
export const unwrap = (kek: Uint8Array, wrapped: Uint8Array, about: string): Uint8Array =>
  open(kek, { nonce: wrapped.subarray(0, nonceLength), ciphertext: wrapped.subarray(nonceLength) }, about)
