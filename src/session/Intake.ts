import { Effect } from "effect"
import { Issue, PayloadTooLarge } from "../domain/Errors.ts"
import { Format, SessionRejected, UnknownFormat } from "../domain/session/Session.ts"
import type { ObjectStoreError, ObjectWriter } from "../platform/ObjectStore.ts"
import { bundlePath, contentTypeOf } from "./BundlePath.ts"
import { openFileCheck } from "./FileChecks.ts"
import { FormatSniffer } from "./Format.ts"

/** One file of an upload, as it was stored. */
export interface StoredFile {
  readonly path: string
  readonly content_type: string
  readonly size_bytes: number
  readonly sha256: string
  readonly line_count: number | null
}

/** Takes the bytes of one file. */
export interface Sink<E> {
  readonly write: (chunk: Uint8Array) => Effect.Effect<void, E>
  readonly end: Effect.Effect<void, E>
}

export type IntakeError = SessionRejected | PayloadTooLarge | ObjectStoreError

export interface Limits {
  readonly max_session_bytes: number
  readonly max_files_per_session: number
}

type OpenWriter = (
  path: string,
  options: { readonly content_type: string; readonly size_hint?: number | undefined }
) => Effect.Effect<ObjectWriter, ObjectStoreError>

/** A chunk of at least this size is looked at while the store writes it; for a smaller one a fiber costs more than that gains. */
const OVERLAP_BYTES = 64 * 1024

const rejected = (path: string, message: string) =>
  new SessionRejected({ detail: `${path}: ${message}`, errors: [new Issue({ path, message })] })

const tooMany = (limit: number) =>
  new PayloadTooLarge({ detail: `a session has at most ${limit} files (MAX_FILES_PER_SESSION)`, limit })

const tooLarge = (limit: number) =>
  new PayloadTooLarge({ detail: `a session has at most ${limit} bytes (MAX_SESSION_BYTES)`, limit })

/** The folders that a path leads through, outermost first. */
const foldersOf = (path: string): ReadonlyArray<string> => {
  const folders: Array<string> = []
  for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) folders.push(path.slice(0, at))
  return folders
}

/** Hashes, counts, checks and stores the files of one upload as their bytes pass by, once. */
export class Intake {
  readonly files: Array<StoredFile> = []
  readonly #sniffer = new FormatSniffer()
  readonly #paths = new Set<string>()
  readonly #folders = new Set<string>()
  readonly #open: OpenWriter
  readonly #limits: Limits
  #bytes = 0

  constructor(open: OpenWriter, limits: Limits) {
    this.#open = open
    this.#limits = limits
  }

  /** Bytes stored so far, all files together. */
  get size_bytes(): number {
    return this.#bytes
  }

  /** Opens a file by the name that its sender gave; refuses names that could reach elsewhere. */
  file(name: string, size_hint: number | undefined): Effect.Effect<Sink<IntakeError>, IntakeError> {
    return Effect.gen(this, function* () {
      const path = bundlePath(name)
      if (path._tag === "Left") return yield* rejected(JSON.stringify(name), path.left)
      const taken = this.#taken(path.right)
      if (taken !== undefined) return yield* rejected(path.right, taken)
      if (this.#paths.size >= this.#limits.max_files_per_session) {
        return yield* tooMany(this.#limits.max_files_per_session)
      }
      this.#paths.add(path.right)
      for (const folder of foldersOf(path.right)) this.#folders.add(folder)
      const content_type = contentTypeOf(path.right)
      const writer = yield* this.#open(path.right, { content_type, size_hint })
      return this.#sink(path.right, content_type, writer)
    })
  }

  /** Why no file can have this path beside those that came before. */
  #taken(path: string): string | undefined {
    if (this.#paths.has(path)) return "two files have this name"
    if (this.#folders.has(path)) return "a folder has this name"
    const file = foldersOf(path).find((folder) => this.#paths.has(folder))
    return file === undefined ? undefined : `its folder ${JSON.stringify(file)} is a file`
  }

  #sink(path: string, content_type: string, writer: ObjectWriter): Sink<IntakeError> {
    const hasher = new Bun.CryptoHasher("sha256")
    const check = openFileCheck(path, this.#sniffer)
    let size_bytes = 0
    const write = (chunk: Uint8Array): Effect.Effect<void, IntakeError> => {
      size_bytes += chunk.length
      this.#bytes += chunk.length
      if (this.#bytes > this.#limits.max_session_bytes) return tooLarge(this.#limits.max_session_bytes)
      const look = () => {
        hasher.update(chunk)
        check.write(chunk)
      }
      if (chunk.length >= OVERLAP_BYTES) {
        return Effect.zipRight(writer.write(chunk), Effect.sync(look), { concurrent: true })
      }
      look()
      return writer.write(chunk)
    }
    const end = Effect.suspend((): Effect.Effect<void, IntakeError> => {
      const { line_count, problems } = check.end()
      if (problems.length > 0) {
        const errors = problems.map(
          ({ line, message }) => new Issue({ path: line === undefined ? path : `${path}:${line}`, message })
        )
        return new SessionRejected({
          detail: errors.map((issue) => `${issue.path}: ${issue.message}`).join("; "),
          errors
        })
      }
      const sha256 = hasher.digest("hex")
      this.files.push({ path, content_type, size_bytes, sha256, line_count: line_count ?? null })
      return writer.end
    })
    return { write, end }
  }

  /** The format of all that came, or why it has none. */
  format(named: Format | undefined): Effect.Effect<Format, SessionRejected | UnknownFormat> {
    if (this.files.length === 0) {
      return new SessionRejected({
        detail: "the upload holds no file",
        errors: [new Issue({ path: "", message: "at least one file is needed" })]
      })
    }
    if (named !== undefined) return Effect.succeed(named)
    const found = this.#sniffer.detect()
    return "format" in found
      ? Effect.succeed(found.format)
      : new UnknownFormat({ detail: found.unknown, known: Format.literals })
  }
}
