import { Effect, Either, Schema } from "effect"
import { BadRequest } from "../domain/Errors.ts"
import { UploadId } from "../domain/Ids.ts"
import { TusVersion } from "../domain/session/Upload.ts"

/** The version of tus that is spoken here (https://tus.io/protocols/resumable-upload). */
export const TUS_VERSION = "1.0.0"

export const TUS_EXTENSIONS = [
  "creation",
  "creation-with-upload",
  "checksum",
  "expiration",
  "termination",
  "concatenation"
] as const

/** Algorithms of the checksum extension, as tus names them; tus asks for the first. */
export const CHECKSUM_ALGORITHMS = ["sha1", "sha256", "sha512", "md5"] as const
type Algorithm = (typeof CHECKSUM_ALGORITHMS)[number]

/** The media type of an upload's bytes. */
export const OFFSET_OCTET_STREAM = "application/offset+octet-stream"

/** What arrived on the wire, independent of any server's request type. */
export interface TusRequest {
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: ReadableStream<Uint8Array> | null
}

type Headers = TusRequest["headers"]

const bad = (detail: string) => new BadRequest({ detail })

/** Every request but OPTIONS names the version that it speaks. */
export const checkVersion = (headers: Headers): Effect.Effect<void, TusVersion> => {
  const given = headers["tus-resumable"]
  return given === TUS_VERSION ? Effect.void : Effect.fail(new TusVersion({ given: given ?? null }))
}

/** A header that is a count of bytes; undefined where it is absent. */
export const bytesIn = (headers: Headers, name: string): Effect.Effect<number | undefined, BadRequest> => {
  const text = headers[name.toLowerCase()]
  if (text === undefined) return Effect.succeed(undefined)
  const value = Number(text)
  return /^\d{1,16}$/.test(text) && Number.isSafeInteger(value)
    ? Effect.succeed(value)
    : Effect.fail(bad(`${name} must be a number of bytes`))
}

const utf8 = new TextDecoder("utf-8", { fatal: true })

const decodeValue = (base64: string): string | undefined => {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) return undefined
  const decoded = Either.try(() => utf8.decode(Buffer.from(base64, "base64")))
  return Either.getOrUndefined(decoded)
}

/** `Upload-Metadata`: pairs of a key and a value in base64, which may be absent. A key stands once. */
export const parseMetadata = (header: string): Either.Either<ReadonlyMap<string, string>, BadRequest> => {
  const pairs = new Map<string, string>()
  for (const pair of header.split(",").map((text) => text.trim())) {
    if (pair === "") continue
    const [key = "", value = "", ...rest] = pair.split(" ")
    const text = decodeValue(value)
    if (text === undefined || rest.length > 0) {
      return Either.left(bad(`Upload-Metadata: the value of ${JSON.stringify(key)} is not UTF-8 in base64`))
    }
    if (pairs.has(key)) return Either.left(bad(`Upload-Metadata: ${JSON.stringify(key)} is given twice`))
    pairs.set(key, text)
  }
  return Either.right(pairs)
}

/** What `Upload-Concat` says: a part of a file, or the parts that a file is made of, in order. */
export type Concat =
  | { readonly kind: "partial" }
  | { readonly kind: "final"; readonly ids: ReadonlyArray<UploadId> }
  | undefined

const isId = Schema.is(UploadId)

/** The upload that an absolute or relative URL names. */
const idOf = (url: string): UploadId | undefined => {
  const id = /\/v1\/uploads\/([^/?#]+)\/?$/.exec(url)?.[1]
  return isId(id) ? id : undefined
}

export const parseConcat = (header: string | undefined): Either.Either<Concat, BadRequest> => {
  if (header === undefined) return Either.right(undefined)
  if (header === "partial") return Either.right({ kind: "partial" })
  const urls = /^final;(.*)$/.exec(header)?.[1]?.trim().split(/\s+/)
  if (urls === undefined || urls[0] === "") {
    return Either.left(bad("Upload-Concat must be `partial`, or `final;` and the URLs of partial uploads"))
  }
  const ids = urls.map(idOf)
  const unknown = ids.indexOf(undefined)
  return unknown === -1
    ? Either.right({ kind: "final", ids: ids.flatMap((id) => id ?? []) })
    : Either.left(bad(`Upload-Concat: ${JSON.stringify(urls[unknown]?.slice(0, 200))} is no URL of an upload here`))
}

/** What a request's bytes are to be compared with. */
export interface Checksum {
  readonly algorithm: Algorithm
  /** In base64. */
  readonly digest: string
}

const isAlgorithm = (name: string | undefined): name is Algorithm => CHECKSUM_ALGORITHMS.some((known) => known === name)

export const parseChecksum = (header: string | undefined): Either.Either<Checksum | undefined, BadRequest> => {
  if (header === undefined) return Either.right(undefined)
  const [algorithm, digest, ...rest] = header.trim().split(" ")
  if (!isAlgorithm(algorithm)) {
    return Either.left(bad(`Upload-Checksum: ${CHECKSUM_ALGORITHMS.join(", ")} are the algorithms that are known here`))
  }
  return digest === undefined || rest.length > 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(digest)
    ? Either.left(bad("Upload-Checksum must be the algorithm's name and a digest in base64"))
    : Either.right({ algorithm, digest })
}
