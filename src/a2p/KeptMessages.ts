import type { Message, Part } from "@a2a-js/sdk"
import { dataPart, type Json, messageJson } from "./Wire.ts"

/** SHA-256 in hexadecimal. */
export const digest = (bytes: Uint8Array | string): string => new Bun.CryptoHasher("sha256").update(bytes).digest("hex")

const described = (bytes: Uint8Array | string) => ({ size_bytes: Buffer.byteLength(bytes), sha256: digest(bytes) })

const sizeOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value))

/** A message without the bytes of its files: of them, what they were. */
export const withoutBytes = (message: Message): Message => ({
  ...message,
  parts: message.parts.map((part) =>
    part.content?.$case === "raw" ? { ...part, content: dataPart(described(part.content.value)).content } : part
  )
})

/** A value as it is kept for long: of one that takes more bytes than this, only what it was. */
export const brief = (value: Json, max_bytes: number): Json => {
  const text = JSON.stringify(value)
  return Buffer.byteLength(text) <= max_bytes ? value : described(text)
}

/**
 * A message as its task keeps it, with so many bytes of text and data at most; one more part says what was
 * left out. URLs stay, as they are read later.
 */
export const shortened = (message: Message, max_bytes: number): Json => {
  const { metadata } = message
  let left = max_bytes
  const fits = (value: unknown) => {
    const size = sizeOf(value)
    if (size > left) return false
    left -= size
    return true
  }
  const kept: Array<Part> = []
  const out: Array<Part> = []
  for (const part of message.parts) (part.content?.$case === "url" || fits(part) ? kept : out).push(part)
  const rest = out.length === 0 ? [] : [dataPart({ left_out: out.length, ...described(JSON.stringify(out)) })]
  return messageJson({
    ...message,
    parts: [...kept, ...rest],
    metadata: metadata === undefined || fits(metadata) ? metadata : undefined
  })
}
