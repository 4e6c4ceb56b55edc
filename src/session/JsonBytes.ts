/** Levels of brackets. Far above what recorders write, far below what overflows a stack later on. */
export const MAX_DEPTH = 10_000

export const QUOTE = 0x22
const BACKSLASH = 0x5c
export const OPEN_ARRAY = 0x5b
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d
/** The one bit in which `[` and `{` differ, and `]` and `}`. */
export const CURLY = 0x20
/** From an opening bracket to its closing one. */
export const OPEN_TO_CLOSE = 2

/** An empty array of three bytes takes eighty in memory: the bytes alone do not bound what parsing takes. */
const MAX_CONTAINERS = 1_000_000
/** Most strings are shorter than this; a native search pays only for longer ones. */
const NEAR_BYTES = 48

/**
 * The index just past the quote that ends the JSON string which `from` lies in. Where the bytes end
 * before: their length + 1, or + 2 when the next byte is escaped.
 */
export const pastQuote = (bytes: Buffer, from: number): number => {
  const length = bytes.length
  let at = from
  for (const near = Math.min(length, from + NEAR_BYTES); at < near; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) return at + 1
    if (byte === BACKSLASH) at++
  }
  if (at >= length) return at + 1
  for (;;) {
    const quote = bytes.indexOf(QUOTE, at)
    const end = quote < 0 ? length : quote
    let slashes = 0
    while (end - slashes > at && bytes[end - slashes - 1] === BACKSLASH) slashes++
    const escaped = slashes % 2
    if (quote < 0) return length + 1 + escaped
    if (escaped === 0) return quote + 1
    at = quote + 1
  }
}

/** Why a document, well-formed or not, should not be parsed: `is nested deeper than 10000 levels`. */
export const excess = (bytes: Buffer): string | undefined => {
  let depth = 0
  let containers = 0
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at++] ?? 0
    if (byte === QUOTE) at = pastQuote(bytes, at)
    else if ((byte | CURLY) === CLOSE_OBJECT) depth--
    else if ((byte | CURLY) === OPEN_OBJECT) {
      if (++depth > MAX_DEPTH) return `is nested deeper than ${MAX_DEPTH} levels`
      if (++containers > MAX_CONTAINERS) return `holds more than ${MAX_CONTAINERS} objects and arrays`
    }
  }
  return undefined
}
