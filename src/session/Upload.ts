import { Effect, Schema } from "effect"
import { BadRequest, Issue, UnsupportedMediaType, ValidationError } from "../domain/Errors.ts"
import { SuiteId } from "../domain/Ids.ts"
import { Description, Format, Metadata, UnknownFormat } from "../domain/session/Session.ts"

/** The fields of an upload as they came, from the query or the form. */
export interface RawFields {
  readonly suite_id?: string | undefined
  readonly description?: string | undefined
  readonly metadata?: string | undefined
  readonly format?: string | undefined
}

/** Names that a form may use for fields; every other part is a file. */
export const fieldNames = ["suite_id", "description", "metadata", "format"] as const

/** The fields of an upload, checked. */
export interface Fields {
  readonly suite_id: SuiteId
  readonly description: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly format: Format | undefined
}

/** What arrived on the wire, independent of any server's request type. */
export interface UploadRequest {
  readonly fields: RawFields
  readonly file_name: string | undefined
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: ReadableStream<Uint8Array> | null
}

const invalid = (path: string, message: string) =>
  new ValidationError({ detail: `${path}: ${message}`, errors: [new Issue({ path, message })] })

const decoded = <A, I>(path: string, schema: Schema.Schema<A, I>, value: unknown) =>
  Schema.decodeUnknown(schema)(value).pipe(
    Effect.mapError((error) =>
      invalid(
        path,
        error.message
          .split("\n")
          .at(-1)
          ?.replace(/^[└─ ]+/, "") ?? "not valid"
      )
    )
  )

const isFormat = Schema.is(Format)
const MetadataText = Schema.parseJson(Metadata)

/** The fields of an upload that may name its suite later. */
export interface DraftFields extends Omit<Fields, "suite_id"> {
  readonly suite_id: SuiteId | undefined
}

/** Checks those fields that are there; each failure names its field. */
export const checkDraft = (raw: RawFields): Effect.Effect<DraftFields, ValidationError | UnknownFormat> =>
  Effect.gen(function* () {
    const suite_id = raw.suite_id === undefined ? undefined : yield* decoded("suite_id", SuiteId, raw.suite_id)
    const description = yield* decoded("description", Description, raw.description ?? "")
    const metadata = yield* decoded("metadata", MetadataText, raw.metadata ?? "{}")
    const { format } = raw
    if (format !== undefined && !isFormat(format)) {
      return yield* new UnknownFormat({
        detail: `format: ${JSON.stringify(format)} is not known`,
        known: Format.literals
      })
    }
    return { suite_id, description, metadata, format }
  })

/** Checks the fields; each failure names its field. */
export const checkFields = (raw: RawFields): Effect.Effect<Fields, ValidationError | UnknownFormat> =>
  raw.suite_id === undefined
    ? invalid("suite_id", "must be given before the first file, or in the query")
    : Effect.map(checkDraft(raw), ({ suite_id, ...fields }) => ({
        ...fields,
        // It was given: the draft has it.
        suite_id: suite_id as SuiteId
      }))

/** The length that the request declares, or undefined when it is not known beforehand. */
export const declaredLength = (headers: UploadRequest["headers"]): number | undefined => {
  const text = headers["content-length"]
  return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text)
}

/** The request's Idempotency-Key, if it has one. */
export const idempotencyKey = (headers: UploadRequest["headers"]): Effect.Effect<string | undefined, BadRequest> => {
  const key = headers["idempotency-key"]
  return key === undefined || /^[\x20-\x7e]{1,255}$/.test(key)
    ? Effect.succeed(key)
    : Effect.fail(new BadRequest({ detail: "Idempotency-Key must be 1 to 255 printable ASCII characters" }))
}

const codings: ReadonlyMap<string | undefined, "gzip" | "zstd"> = new Map([
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["zstd", "zstd"]
] as const)

/** The request's Content-Encoding; undefined where the body is sent as it is. */
export const contentCoding = (
  headers: UploadRequest["headers"]
): Effect.Effect<"gzip" | "zstd" | undefined, UnsupportedMediaType> => {
  const names = (headers["content-encoding"] ?? "").toLowerCase().split(",")
  const given = names.map((name) => name.trim()).filter((name) => name !== "" && name !== "identity")
  const coding = codings.get(given[0])
  return given.length === 0 || (given.length === 1 && coding !== undefined)
    ? Effect.succeed(coding)
    : new UnsupportedMediaType({
        detail: `Content-Encoding: ${given.join(", ")} is not read here; gzip or zstd, once, are`
      })
}

/** What a raw body is called in the bundle: as the request says, or by its content type. */
export const rawName = ({ file_name, headers }: UploadRequest): string => {
  if (file_name !== undefined) return file_name
  const type = (headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase()
  if (type === "application/json") return "recording.json"
  return type === "application/x-ndjson" || type === "application/jsonl" ? "recording.jsonl" : "recording"
}
