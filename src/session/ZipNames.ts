const SIGNATURE = Buffer.from("PK\u0003\u0004", "latin1")
const HEADER_BYTES = 30
const NAME_LENGTH_AT = 26
/** A recording shows its kind by then; what follows passes unread. */
const MAX_NAMES = 1024

/**
 * Tells the names in a zip file as its bytes come, from the headers before the entries. Bytes of an
 * entry that look like a header may add a name: good for a guess at what the archive is, no more.
 */
export class ZipNames {
  readonly #onName: (name: string) => void
  #carry: Buffer = Buffer.alloc(0)
  #names = 0

  constructor(onName: (name: string) => void) {
    this.#onName = onName
  }

  /** The chunk is not kept. */
  write(chunk: Uint8Array): void {
    if (this.#names >= MAX_NAMES) return
    const bytes = Buffer.concat([this.#carry, chunk])
    let from = 0
    while (this.#names < MAX_NAMES) {
      const at = bytes.indexOf(SIGNATURE, from)
      if (at < 0) {
        this.#carry = Buffer.from(bytes.subarray(Math.max(from, bytes.length - SIGNATURE.length + 1)))
        return
      }
      const name = at + HEADER_BYTES
      const end = name > bytes.length ? name : name + bytes.readUInt16LE(at + NAME_LENGTH_AT)
      if (end > bytes.length) {
        this.#carry = Buffer.from(bytes.subarray(at))
        return
      }
      this.#names++
      this.#onName(bytes.toString("utf8", name, end))
      from = end
    }
  }
}
