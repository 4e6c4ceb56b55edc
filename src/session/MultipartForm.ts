import { Effect } from "effect"
import * as Multipasta from "multipasta"
import { BadRequest, PayloadTooLarge } from "../domain/Errors.ts"
import type { Sink } from "./Intake.ts"

/** What a form is made of, in the order that it comes. */
export interface FormHandler<E, R> {
  readonly field: (name: string, value: string) => Effect.Effect<void, E, R>
  /** A file part begins; its bytes go to the sink. */
  readonly file: (name: string, file_name: string | undefined) => Effect.Effect<Sink<E>, E, R>
}

type Event =
  | { readonly _tag: "field"; readonly name: string; readonly value: string }
  | { readonly _tag: "file"; readonly name: string; readonly file_name: string | undefined }
  | { readonly _tag: "chunk"; readonly bytes: Uint8Array }
  | { readonly _tag: "end" }

const maxFieldBytes = 128 * 1024
const decoder = new TextDecoder()

const explain = (error: Multipasta.MultipartError): BadRequest | PayloadTooLarge => {
  switch (error._tag) {
    case "ReachedLimit":
      return new PayloadTooLarge({ detail: `a form field has at most ${maxFieldBytes} bytes`, limit: maxFieldBytes })
    case "InvalidBoundary":
      return new BadRequest({ detail: "Content-Type names no boundary" })
    case "BadHeaders":
      return new BadRequest({ detail: "a part's headers cannot be parsed" })
    case "InvalidDisposition":
      return new BadRequest({ detail: "a part's Content-Disposition has no name" })
    case "EndNotReached":
      return new BadRequest({ detail: "the form ends in the middle of a part" })
  }
}

/**
 * Parses `multipart/form-data` (RFC 7578) as its bytes come, and hands every part to the handler
 * with back-pressure: a chunk is parsed when all that the last one held was taken.
 */
export const parser = <E, R>(content_type: string, handler: FormHandler<E, R>) => {
  const events: Array<Event> = []
  let failure: BadRequest | PayloadTooLarge | undefined
  let complete = false
  let sink: Sink<E> | undefined

  const form = Multipasta.make({
    headers: { "content-type": content_type },
    // Of `isFile`, only what has a file name is a file: a plain field of any type stays a field.
    isFile: (info) => info.filename !== undefined,
    maxFieldSize: maxFieldBytes,
    onField: (info, value) => events.push({ _tag: "field", name: info.name, value: decoder.decode(value) }),
    onFile: (info) => {
      events.push({ _tag: "file", name: info.name, file_name: info.filename })
      return (bytes) => events.push(bytes === null ? { _tag: "end" } : { _tag: "chunk", bytes })
    },
    onError: (error) => {
      failure ??= explain(error)
    },
    onDone: () => {
      complete = true
    }
  })

  const handle = (event: Event): Effect.Effect<void, E, R> => {
    switch (event._tag) {
      case "field":
        return handler.field(event.name, event.value)
      case "file":
        return Effect.map(handler.file(event.name, event.file_name), (opened) => {
          sink = opened
        })
      case "chunk":
        return sink === undefined || event.bytes.length === 0 ? Effect.void : sink.write(event.bytes)
      case "end":
        return sink === undefined ? Effect.void : sink.end
    }
  }

  const parse = (step: () => void) =>
    Effect.try({ try: step, catch: () => new BadRequest({ detail: "a part's headers cannot be parsed" }) })

  const handled = Effect.suspend(() => {
    const batch = events.splice(0)
    return Effect.forEach(batch, handle, { discard: true })
  })

  const write = (chunk: Uint8Array) =>
    Effect.gen(function* () {
      // What follows the last boundary is an epilogue, which is to be ignored (RFC 2046, 5.1.1).
      if (complete) return
      yield* parse(() => form.write(chunk))
      yield* handled
      if (failure !== undefined) return yield* failure
    })

  const end = Effect.gen(function* () {
    if (complete) return
    yield* parse(() => form.end())
    yield* handled
    return yield* failure ??
      new BadRequest({ detail: "the closing boundary never came: is it the one that Content-Type names?" })
  })

  return { write, end } as const
}
