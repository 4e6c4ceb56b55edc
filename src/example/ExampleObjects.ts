import { Chunk, Effect, Schema, Stream } from "effect"
import { Unavailable } from "../domain/Errors.ts"
import { Message, ToolDefinition } from "../domain/example/Message.ts"
import type { ExampleId, OrganizationId } from "../domain/Ids.ts"
import { ObjectStore, type ObjectStoreError } from "../platform/ObjectStore.ts"
import { contentHash } from "./pipeline/ContentHash.ts"
import { toText } from "./pipeline/Grammar.ts"

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const FEW_BYTES = 256 * 1024
const messagesFile = "messages.jsonl"
/** The tools as they were when the messages were made: a map may change later. */
const toolsFile = "tools.json"

const away = (error: ObjectStoreError) => new Unavailable({ detail: error.message, retry_after_s: 5 })
const decodeTools = Schema.decodeUnknown(Schema.parseJson(Schema.Array(ToolDefinition)))
const decodeMessages = Schema.decodeUnknown(Schema.Array(Schema.parseJson(Message)))

/** Everything of one example lies below this. */
export const examplePrefix = (org_id: OrganizationId, id: ExampleId): string => `orgs/${org_id}/examples/${id}/`

/** The files of examples. */
export class ExampleObjects extends Effect.Service<ExampleObjects>()("example/ExampleObjects", {
  effect: Effect.gen(function* () {
    const store = yield* ObjectStore

    /**
     * Writes the messages and their tools, durably; the same twice is the same once.
     * @returns the hash of what the messages say
     */
    const write = (prefix: string, messages: ReadonlyArray<Message>, tools: ReadonlyArray<ToolDefinition>) =>
      Effect.gen(function* () {
        const text = encoder.encode(toText(messages))
        const batch = yield* store.batch(prefix)
        for (const [path, bytes, content_type] of [
          [messagesFile, text, "application/x-ndjson"],
          [toolsFile, encoder.encode(JSON.stringify(tools)), "application/json"]
        ] as const) {
          const writer = yield* batch.writer(path, { content_type, size_hint: bytes.length })
          yield* writer.write(bytes)
          yield* writer.end
        }
        yield* batch.commit
        return contentHash(messages)
      }).pipe(Effect.scoped, Effect.mapError(away))

    /** The bytes of `messages.jsonl`: as they come, or at once where they are few. */
    const messagesBytes = (prefix: string) =>
      Effect.gen(function* () {
        const key = prefix + messagesFile
        const few = yield* store.whole(key, FEW_BYTES)
        return few ?? Stream.mapError(yield* store.read(key), away)
      }).pipe(
        // The row says that it is there: its absence is a fault of ours, not of the caller.
        Effect.catchTags({ ObjectNotFound: Effect.die, ObjectStoreFull: away, ObjectStoreUnavailable: away })
      )

    const text = (key: string) =>
      Effect.gen(function* () {
        const few = yield* store.whole(key, FEW_BYTES)
        if (few !== undefined) return decoder.decode(few)
        const chunks = yield* Stream.runCollect(Stream.decodeText(yield* store.read(key)))
        return Chunk.toReadonlyArray(chunks).join("")
      }).pipe(Effect.catchTags({ ObjectStoreFull: away, ObjectStoreUnavailable: away }))

    const tools = (prefix: string) =>
      Effect.flatMap(text(prefix + toolsFile), (json) => Effect.orDie(decodeTools(json)))

    const messages = (prefix: string) =>
      Effect.flatMap(text(prefix + messagesFile), (jsonl) =>
        Effect.orDie(decodeMessages(jsonl.split("\n").filter((line) => line !== "")))
      )

    /** Removes what was written there, and nothing below it: another attempt may be at work there. */
    const remove = (prefix: string) => Effect.mapError(store.remove([prefix + messagesFile, prefix + toolsFile]), away)

    return { write, messagesBytes, tools, messages, remove } as const
  })
}) {}
