import { randomUUID } from "node:crypto"
import { type FileHandle, open } from "node:fs/promises"
import { Effect, Option, Stream } from "effect"
import { type LocalBundle, type LocalFile, reading, SourceUnusable } from "./LocalBundle.ts"

/** The fields that go before the files. */
type UploadFields = Readonly<Partial<Record<"suite_id" | "description" | "metadata" | "format", string>>>

/** A `multipart/form-data` body (RFC 7578) whose length is known before its bytes are read. */
export interface UploadForm {
  readonly content_type: string
  readonly size_bytes: number
  /** Reads the files anew each time that it is run; a chunk holds until the next is asked for. */
  readonly bytes: Stream.Stream<Uint8Array, SourceUnusable>
}

const CHUNK = 512 * 1024

const encoder = new TextEncoder()

const isPlain = (name: string) => /^[\x20-\x7e]*$/.test(name) && !/["\\%]/.test(name)

/** The name as it is where no rule of quoting is needed, else in the extended notation of RFC 8187. */
const fileName = (name: string) =>
  isPlain(name)
    ? `filename="${name}"`
    : `filename*=UTF-8''${encodeURIComponent(name.toWellFormed()).replaceAll("'", "%27")}`

const changed = ({ path }: LocalFile) =>
  new SourceUnusable({
    path,
    reason: "the file changed while it was uploaded; nothing was kept, run the command again"
  })

interface Reader {
  readonly handle: FileHandle
  /** One for the whole file: thrown away after each chunk, they would pile up until the next collection. */
  readonly buffer: Uint8Array
}

const next = (file: LocalFile, { handle, buffer }: Reader, position: number) =>
  Effect.gen(function* () {
    const left = file.size_bytes - position
    if (left === 0) {
      const { size } = yield* reading(file.path, () => handle.stat())
      return size === file.size_bytes ? Option.none() : yield* changed(file)
    }
    const wanted = Math.min(buffer.length, left)
    const { bytesRead } = yield* reading(file.path, () => handle.read(buffer, 0, wanted, position))
    if (bytesRead === 0) return yield* changed(file)
    const chunk = buffer.subarray(0, bytesRead)
    return Option.some([chunk, position + bytesRead] as const)
  })

/** Exactly as many bytes as the file had when its length was declared. */
const fileBytes = (file: LocalFile): Stream.Stream<Uint8Array, SourceUnusable> =>
  Stream.acquireRelease(
    reading(file.path, () => open(file.path)),
    (handle) => Effect.promise(() => handle.close())
  ).pipe(
    Stream.map((handle): Reader => ({ handle, buffer: new Uint8Array(Math.min(CHUNK, file.size_bytes)) })),
    Stream.flatMap((reader) => Stream.unfoldEffect(0, (position) => next(file, reader, position)))
  )

/** The form that uploads the bundle: a single file as `bundle`, which the service expands if it is an archive. */
export const uploadForm = (fields: UploadFields, { kind, files }: LocalBundle): UploadForm => {
  const boundary = `tracepipe-${randomUUID()}`
  const texts = Object.entries(fields).map(
    ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
  )
  const head = encoder.encode(texts.join(""))
  const part = kind === "file" ? "bundle" : "file"
  const parts = files.map((file) => ({
    file,
    head: encoder.encode(
      `--${boundary}\r\nContent-Disposition: form-data; name="${part}"; ${fileName(file.name)}\r\nContent-Type: application/octet-stream\r\n\r\n`
    )
  }))
  const lineEnd = encoder.encode("\r\n")
  const tail = encoder.encode(`--${boundary}--\r\n`)
  return {
    content_type: `multipart/form-data; boundary=${boundary}`,
    size_bytes: parts.reduce(
      (sum, { file, head }) => sum + head.length + file.size_bytes + lineEnd.length,
      head.length + tail.length
    ),
    bytes: Stream.make(head).pipe(
      Stream.concat(
        Stream.flatMap(Stream.fromIterable(parts), ({ file, head }) =>
          Stream.make(head).pipe(Stream.concat(fileBytes(file)), Stream.concat(Stream.make(lineEnd)))
        )
      ),
      Stream.concat(Stream.make(tail))
    )
  }
}
