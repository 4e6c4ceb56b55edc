import { crc32 } from "node:zlib"

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
const pattern = /^tp_([a-z]+)_([0-9A-Za-z]{22})([0-9A-Za-z]{6})$/

/** What a secret is of: an API key, an agent's client secret, an invitation. */
export type Kind = "live" | "agent" | "invite"

const base62 = (value: number, length: number): string => {
  let text = ""
  for (let rest = value; text.length < length; rest = Math.floor(rest / 62)) text = alphabet[rest % 62] + text
  return text
}

const checksum = (random: string): string => base62(crc32(random), 6)

/** So many random base62 letters: 5.95 bits each. */
export const randomLetters = (count: number): string => {
  let text = ""
  while (text.length < count) {
    for (const byte of crypto.getRandomValues(new Uint8Array(count))) {
      // 248 is the largest multiple of 62 in a byte: above it some letters would be likelier.
      if (byte < 248 && text.length < count) text += alphabet[byte % 62]
    }
  }
  return text
}

/** A new secret: `tp_<kind>_`, 22 random base62 letters (131 bits) and their CRC32 in six. */
export const make = (kind: Kind = "live"): string => {
  const random = randomLetters(22)
  return `tp_${kind}_${random}${checksum(random)}`
}

/** True when the secret has the form and the checksum of ours: no look-up is needed to refuse others. */
export const isWellFormed = (secret: string, kind: Kind = "live"): boolean => {
  const match = pattern.exec(secret)
  return match?.[1] === kind && match[2] !== undefined && checksum(match[2]) === match[3]
}

/** SHA-256 of the whole secret, in hex: what is stored. 131 random bits need no slow hash. */
export const hash = (secret: string): string => Bun.SHA256.hash(secret, "hex")

/** What is kept of a key in clear, to tell keys apart. */
export const prefix = (key: string): string => key.slice(0, 12)
