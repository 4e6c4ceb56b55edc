import { crc32 } from "node:zlib"

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
const pattern = /^tp_live_([0-9A-Za-z]{22})([0-9A-Za-z]{6})$/

const base62 = (value: number, length: number): string => {
  let text = ""
  for (let rest = value; text.length < length; rest = Math.floor(rest / 62)) text = alphabet[rest % 62] + text
  return text
}

const checksum = (random: string): string => base62(crc32(random), 6)

const randomLetters = (count: number): string => {
  let text = ""
  while (text.length < count) {
    for (const byte of crypto.getRandomValues(new Uint8Array(count))) {
      // 248 is the largest multiple of 62 in a byte: above it some letters would be likelier.
      if (byte < 248 && text.length < count) text += alphabet[byte % 62]
    }
  }
  return text
}

/** A new key: `tp_live_`, 22 random base62 letters (131 bits) and their CRC32 in six. */
export const make = (): string => {
  const random = randomLetters(22)
  return `tp_live_${random}${checksum(random)}`
}

/** True when the key has the form and the checksum of ours: no look-up is needed to refuse others. */
export const isWellFormed = (key: string): boolean => {
  const match = pattern.exec(key)
  return match?.[1] !== undefined && checksum(match[1]) === match[2]
}

/** SHA-256 of the whole key, in hex: what is stored. 131 random bits need no slow hash. */
export const hash = (key: string): string => Bun.SHA256.hash(key, "hex")

/** What is kept in clear, to tell keys apart. */
export const prefix = (key: string): string => key.slice(0, 12)
