import { open } from "node:fs/promises"
import { pack } from "tar-stream"
import { type LocalBundle, type LocalFile, SourceUnusable } from "./LocalBundle.ts"

/** What is sent, piece after piece: bytes that are made here, or a file's. */
export type Segment = Uint8Array | LocalFile

const BLOCK = 512
/** What a tar ends with. */
const TRAILER = 2 * BLOCK

const lengthOf = (segment: Segment) => (segment instanceof Uint8Array ? segment.length : segment.size_bytes)

export const totalOf = (segments: ReadonlyArray<Segment>) => segments.reduce((sum, one) => sum + lengthOf(one), 0)

/** All that goes before a file's bytes in a tar; the same each time. */
const tarHeader = ({ name, size_bytes }: LocalFile) =>
  new Promise<Uint8Array>((resolve, reject) => {
    const first = new Uint8Array(1)
    const chunks: Array<Uint8Array> = []
    const archive = pack()
    const entry = archive.entry({ name, size: size_bytes, mode: 0o644, mtime: new Date(0) }, (error) => {
      if (error != null && size_bytes === 0) reject(error)
    })
    archive.on("data", (chunk) => {
      if (chunk !== first) return void (chunk instanceof Uint8Array && chunks.push(chunk))
      archive.destroy()
      resolve(Buffer.concat(chunks))
    })
    archive.on("end", () => resolve(Buffer.concat(chunks).subarray(0, -TRAILER)))
    if (size_bytes > 0) return void entry.write(first)
    entry.end(undefined)
    archive.finalize()
  })

/** One file as it is; a folder as a tar of its files, whose bytes are the same each time that they are asked for. */
export const segmentsOf = async ({ kind, files }: LocalBundle): Promise<ReadonlyArray<Segment>> => {
  if (kind === "file") return files
  const segments: Array<Segment> = []
  for (const file of files) {
    segments.push(await tarHeader(file), file, new Uint8Array((BLOCK - (file.size_bytes % BLOCK)) % BLOCK))
  }
  segments.push(new Uint8Array(TRAILER))
  return segments
}

const changed = ({ path }: LocalFile) =>
  new SourceUnusable({ path, reason: "the file changed while it was uploaded; run the command again" })

const fill = async (file: LocalFile, from: number, target: Uint8Array) => {
  const handle = await open(file.path)
  try {
    for (let at = 0; at < target.length; ) {
      const { bytesRead } = await handle.read(target, at, target.length - at, from + at)
      if (bytesRead === 0) throw changed(file)
      at += bytesRead
    }
    const { size, mtimeMs } = await handle.stat()
    if (size !== file.size_bytes || mtimeMs !== file.modified_ms) throw changed(file)
  } finally {
    await handle.close()
  }
}

/** The bytes from `start` up to `end`, or to where there are no more. */
export const slice = async (
  segments: ReadonlyArray<Segment>,
  { start, end }: { readonly start: number; readonly end: number }
): Promise<Uint8Array> => {
  const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(end, totalOf(segments)) - start))
  let position = 0
  for (const segment of segments) {
    const from = Math.max(start, position)
    const to = Math.min(start + bytes.length, position + lengthOf(segment))
    if (from < to) {
      const target = bytes.subarray(from - start, to - start)
      if (segment instanceof Uint8Array) target.set(segment.subarray(from - position, to - position))
      else await fill(segment, from - position, target)
    }
    position += lengthOf(segment)
  }
  return bytes
}
