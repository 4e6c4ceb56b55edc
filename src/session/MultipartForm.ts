import { Effect } from "effect"
import { BadRequest, PayloadTooLarge } from "../domain/Errors.ts"
import type { Sink } from "./Intake.ts"
import { boundaryOf, MultipartParser, type PartEvent, type PartHead } from "./MultipartParser.ts"

/** What a form is made of, in the order that it comes. */
export interface FormHandler<E, R> {
  /** Names whose parts are fields even when they come with a file name, as a browser's `Blob` does. */
  readonly isField: (name: string) => boolean
  readonly field: (name: string, value: string) => Effect.Effect<void, E, R>
  /** A file part begins; its bytes go to the sink. */
  readonly file: (name: string, file_name: string) => Effect.Effect<Sink<E>, E, R>
}

/** A field that is being collected, or where a file's bytes go. */
type Part<E> =
  | { readonly _tag: "field"; readonly name: string; readonly chunks: Array<Uint8Array>; size: number }
  | { readonly _tag: "file"; readonly sink: Sink<E> }

const MAX_FIELD_BYTES = 128 * 1024
const utf8 = new TextDecoder("utf-8", { fatal: true })

const bad = (detail: string) => new BadRequest({ detail })

/**
 * Takes `multipart/form-data` as its bytes come, and hands every part to the handler with
 * back-pressure: a chunk is parsed when all that the last one held was taken.
 */
export const parser = <E, R>(content_type: string, handler: FormHandler<E, R>) => {
  const boundary = boundaryOf(content_type)
  const form = new MultipartParser(boundary ?? "")
  let part: Part<E> | undefined

  const begin = ({ name, file_name }: PartHead): Effect.Effect<void, E, R> => {
    if (file_name === undefined || handler.isField(name)) {
      part = { _tag: "field", name, chunks: [], size: 0 }
      return Effect.void
    }
    return Effect.map(handler.file(name, file_name), (sink) => {
      part = { _tag: "file", sink }
    })
  }

  const collect = (field: Part<E> & { _tag: "field" }, bytes: Uint8Array) => {
    field.size += bytes.length
    if (field.size > MAX_FIELD_BYTES) {
      const detail = `${JSON.stringify(field.name)}: a form field has at most ${MAX_FIELD_BYTES} bytes`
      return new PayloadTooLarge({ detail, limit: MAX_FIELD_BYTES })
    }
    // A copy: the chunk that they are in may be large, and is to go away.
    field.chunks.push(Uint8Array.from(bytes))
    return Effect.void
  }

  const ended = ({ name, chunks }: Part<E> & { _tag: "field" }) =>
    Effect.flatMap(
      Effect.try({
        try: () => utf8.decode(Buffer.concat(chunks)),
        catch: () => bad(`the field ${JSON.stringify(name)} is not UTF-8`)
      }),
      (value) => handler.field(name, value)
    )

  const handle = (event: PartEvent): Effect.Effect<void, E | BadRequest | PayloadTooLarge, R> => {
    if (event._tag === "begin") return begin(event.head)
    if (part === undefined) return Effect.void
    if (event._tag === "end") return part._tag === "field" ? ended(part) : part.sink.end
    return part._tag === "field" ? collect(part, event.bytes) : part.sink.write(event.bytes)
  }

  const failed = Effect.suspend(() => (form.failure === undefined ? Effect.void : bad(form.failure)))

  const write = (chunk: Uint8Array) =>
    Effect.suspend(() => {
      if (boundary === undefined) return bad("Content-Type names no boundary")
      return Effect.zipRight(Effect.forEach(form.write(chunk), handle, { discard: true }), failed)
    })

  const end = Effect.suspend(() => {
    form.end()
    return failed
  })

  return { write, end } as const
}
