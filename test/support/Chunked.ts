import fc from "fast-check"

/** Cuts bytes into chunks of these lengths, over and over. */
export const chunked = (bytes: Uint8Array, lengths: ReadonlyArray<number>): Array<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = lengths[turn % lengths.length] ?? 1
    chunks.push(Uint8Array.from(bytes.subarray(at, at + length)))
    at += length
  }
  return chunks
}

/** Writes bytes in such chunks and wipes each of them afterwards, as a reused buffer would be. */
export const writeChunked = (
  target: { write(chunk: Uint8Array): void },
  bytes: Uint8Array,
  lengths: ReadonlyArray<number> = [65_536]
): void => {
  for (const chunk of chunked(bytes, lengths)) {
    target.write(chunk)
    chunk.fill(0x7b)
  }
}

/** Lengths for {@link chunked}. */
export const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 })

const pieces = fc.oneof(
  fc.json().map((text) => Buffer.from(text)),
  fc
    .constantFrom(
      "\n",
      "\n",
      "\r\n",
      " ",
      "\t",
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"',
      "\\",
      '\\"',
      "null",
      "1e5",
      "\0",
      "\ufeff",
      "é",
      "😀"
    )
    .map((text) => Buffer.from(text)),
  fc
    .constantFrom('{"role":"user","content":"hi"}\n', '{"type":"click","timestamp":1}\n', '"\\ud800"\n', "{}\n{}\n")
    .map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes))
)

/** Bytes that come close to JSON and JSON Lines, and often are not. */
export const jsonLikeBytes = fc.array(pieces, { maxLength: 30 }).map((parts) => Buffer.concat(parts))
