import { Effect } from "effect"
import { BadRequest, PayloadTooLarge } from "../domain/Errors.ts"

const tooLarge = (limit: number) =>
  new PayloadTooLarge({
    detail: `the request is larger than ${limit} bytes; give what is larger by its URL`,
    limit
  })

const gathered = async (body: ReadableStream<Uint8Array>, limit: number): Promise<string | undefined> => {
  const reader = body.getReader()
  const chunks: Array<Uint8Array> = []
  let size = 0
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    size += next.value.length
    if (size > limit) {
      await reader.cancel()
      return undefined
    }
    chunks.push(next.value)
  }
  return Buffer.concat(chunks).toString("utf8")
}

/** The body as text, of so many bytes at most; an empty one for no body. */
export const text = (request: Request, limit: number): Effect.Effect<string, BadRequest | PayloadTooLarge> =>
  Effect.gen(function* () {
    if (Number(request.headers.get("content-length") ?? 0) > limit) return yield* tooLarge(limit)
    const { body } = request
    if (body === null) return ""
    const found = yield* Effect.tryPromise({
      try: () => gathered(body, limit),
      catch: () => new BadRequest({ detail: "the body could not be read" })
    })
    return found ?? (yield* tooLarge(limit))
  })

/** The media type alone, in lower case; undefined where none is named. */
export const mediaType = (request: Request): string | undefined =>
  request.headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase()
