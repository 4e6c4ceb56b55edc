import { Effect, Schema, Stream } from "effect"
import { Message } from "../../domain/example/Message.ts"
import { cutTexts, Window } from "./Cut.ts"
import { lines } from "./Lines.ts"

const decode = Schema.decode(Schema.parseJson(Message))
const textChars = 80

/** What a message that stays too large with short texts is reduced to. */
const bare = (message: Message, size: number): Message => {
  if (message.role !== "assistant") return cutTexts(message, textChars)
  const count = message.tool_calls?.length ?? 0
  return { role: "assistant", content: `[cut: ${size} characters with ${count} tool calls]` }
}

/** Of an example's `messages.jsonl` as much as fits into so many characters of JSON, from a line on. */
export const messageWindow = <E>(
  bytes: Uint8Array | Stream.Stream<Uint8Array, E>,
  { from_index, max_chars }: { readonly from_index: number; readonly max_chars: number }
) =>
  Effect.gen(function* () {
    const window = new Window(max_chars, bare)
    yield* lines(bytes).pipe(
      Stream.zipWithIndex,
      Stream.drop(from_index),
      // They are ours: one that cannot be read is our fault.
      Stream.mapEffect(([line, index]) => Effect.map(Effect.orDie(decode(line)), (message) => ({ message, index }))),
      Stream.takeWhile(({ message, index }) => window.add(message, index)),
      Stream.runDrain
    )
    return { messages: window.items, next_index: window.next }
  })
