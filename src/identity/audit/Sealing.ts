import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"

const nonceLength = 12
const tagLength = 16

/** The length of keys, in bytes: AES-256. */
export const keyLength = 32

/** AES-256-GCM as nonce, ciphertext and tag; whoever opens it has to say the same `about`. */
export const seal = (key: Uint8Array, plain: Uint8Array, about: string): Buffer => {
  const nonce = randomBytes(nonceLength)
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(about))
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** What was sealed; undefined where the key is another, or anything was changed. */
export const open = (key: Uint8Array, sealed: Uint8Array, about: string): Buffer | undefined => {
  const bytes = Buffer.from(sealed)
  if (bytes.length < nonceLength + tagLength) return undefined
  const cipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, nonceLength), { authTagLength: tagLength })
  cipher.setAAD(Buffer.from(about)).setAuthTag(bytes.subarray(-tagLength))
  const plain = cipher.update(bytes.subarray(nonceLength, -tagLength))
  try {
    return Buffer.concat([plain, cipher.final()])
  } catch {
    return undefined
  }
}
