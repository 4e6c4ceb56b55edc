const MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
const SKIPPABLE_MASK = 0xfffffff0
const BLOCK_HEADER_BYTES = 3
const CHECKSUM_BYTES = 4
const RLE_BLOCK = 1

/** Bytes of the header's optional fields, by the bits of its descriptor. */
const dictionaryBytes = [0, 1, 2, 4]
const contentSizeBytes = [0, 2, 4, 8]

type Expected = "magic" | "skippable size" | "descriptor" | "block"

/**
 * Follows the frames of a zstd stream (RFC 8878, section 3.1) without decoding them, to know whether
 * it ended with one: the decoder here does not say when its input was cut off. Damage is left to
 * the decoder.
 */
export class ZstdFrames {
  #expected: Expected = "magic"
  readonly #field = Buffer.alloc(4)
  #fieldLength = 0
  /** Bytes to pass over before the next field. */
  #skip = 0
  #checksum = 0
  #frames = 0

  /** The bytes so far are one or more whole frames. */
  get complete(): boolean {
    return this.#expected === "magic" && this.#fieldLength === 0 && this.#skip === 0 && this.#frames > 0
  }

  write(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) {
      const skipped = Math.min(this.#skip, chunk.length - at)
      this.#skip -= skipped
      at += skipped
      if (at === chunk.length) return
      this.#field[this.#fieldLength++] = chunk[at++] ?? 0
      if (this.#fieldLength === this.#fieldBytes()) {
        this.#fieldLength = 0
        this.#read()
      }
    }
  }

  #fieldBytes(): number {
    if (this.#expected === "descriptor") return 1
    return this.#expected === "block" ? BLOCK_HEADER_BYTES : 4
  }

  #read(): void {
    if (this.#expected === "magic") {
      const magic = this.#field.readUInt32LE(0)
      this.#expected = (magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC ? "skippable size" : "descriptor"
      if (this.#expected === "descriptor" && magic !== MAGIC) this.#skip = Number.POSITIVE_INFINITY
    } else if (this.#expected === "skippable size") {
      this.#endFrame(this.#field.readUInt32LE(0))
    } else if (this.#expected === "descriptor") {
      this.#readDescriptor(this.#field[0] ?? 0)
    } else {
      this.#readBlock(this.#field.readUIntLE(0, BLOCK_HEADER_BYTES))
    }
  }

  #readDescriptor(bits: number): void {
    const singleSegment = (bits >> 5) & 1
    const sizeCode = bits >> 6
    const window = 1 - singleSegment
    const contentSize = sizeCode === 0 ? singleSegment : (contentSizeBytes[sizeCode] ?? 0)
    this.#checksum = (bits >> 2) & 1 ? CHECKSUM_BYTES : 0
    this.#skip = window + (dictionaryBytes[bits & 3] ?? 0) + contentSize
    this.#expected = "block"
  }

  #readBlock(bits: number): void {
    const size = (bits >> 1) % 4 === RLE_BLOCK ? 1 : bits >> 3
    if (bits & 1) this.#endFrame(size + this.#checksum)
    else this.#skip = size
  }

  #endFrame(rest: number): void {
    this.#skip = rest
    this.#frames++
    this.#expected = "magic"
  }
}
