import { crc32, deflateRawSync } from "node:zlib"

export interface ZipPart {
  readonly name: string
  readonly content?: string | Uint8Array
  readonly stored?: boolean
  /** Unix mode with its file type. */
  readonly mode?: number
  /** Bits of the general purpose flag; UTF-8 names are always set. */
  readonly flags?: number
  readonly method?: number
  /** What the headers say instead of the truth. */
  readonly lies?: {
    readonly crc32?: number
    readonly size?: number
    readonly packed?: number
    readonly offset?: number
  }
}

const UTF8_NAMES = 0x800
const MADE_ON_UNIX = 3 << 8
const VERSION = 20

/** A zip file, well-formed but for what its parts ask for. */
export const zipOf = (parts: ReadonlyArray<ZipPart>): Buffer => {
  const bodies: Array<Buffer> = []
  const directory: Array<Buffer> = []
  let offset = 0
  for (const part of parts) {
    const content = Buffer.from(part.content ?? "")
    const packed = part.stored === true ? content : deflateRawSync(content)
    const name = Buffer.from(part.name)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(VERSION, 0)
    common.writeUInt16LE(UTF8_NAMES | (part.flags ?? 0), 2)
    common.writeUInt16LE(part.method ?? (part.stored === true ? 0 : 8), 4)
    common.writeUInt32LE(part.lies?.crc32 ?? crc32(content), 10)
    common.writeUInt32LE(part.lies?.packed ?? packed.length, 14)
    common.writeUInt32LE(part.lies?.size ?? content.length, 18)
    common.writeUInt16LE(name.length, 22)
    bodies.push(Buffer.from("PK\u0003\u0004"), common, name, packed)
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE(((part.mode ?? 0o100644) << 16) >>> 0, 6)
    rest.writeUInt32LE(part.lies?.offset ?? offset, 10)
    directory.push(Buffer.from("PK\u0001\u0002"), Buffer.from([VERSION, MADE_ON_UNIX >> 8]), common, rest, name)
    offset += 30 + name.length + packed.length
  }
  const central = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write("PK\u0005\u0006", "latin1")
  end.writeUInt16LE(parts.length, 8)
  end.writeUInt16LE(parts.length, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...bodies, central, end])
}
