import { Effect, Schema, Stream } from "effect"
import { Example } from "../../../domain/example/Example.ts"
import { Message } from "../../../domain/example/Message.ts"
import { ExampleId } from "../../../domain/Ids.ts"
import { Examples } from "../../../example/Examples.ts"
import { cutTexts, Window } from "../Cut.ts"
import { lines } from "../Lines.ts"
import { output, reads, tool, windowing, written } from "../Tool.ts"
import { messagesUri } from "../Uris.ts"
import { exampleNotes } from "./ExampleNotes.ts"

const next = {
  NotFound: "Call find_examples for the ids of examples.",
  ExampleState: "Call get_example until it is COMPLETED."
}

const ExampleMessages = Schema.Struct({
  example_id: ExampleId,
  messages: Schema.Array(Message),
  next_index: Schema.NullOr(Schema.Int).annotations({
    description: "Pass it as `from_index` for what comes next; null at the end"
  })
})

const decode = Schema.decode(Schema.parseJson(Message))
const textChars = 80

/** What a message that stays too large with short texts is reduced to. */
const bare = (message: Message, size: number): Message => {
  if (message.role !== "assistant") return cutTexts(message, textChars)
  const count = message.tool_calls?.length ?? 0
  return { role: "assistant", content: `[cut: ${size} characters with ${count} tool calls]` }
}

/** Examples: what sessions were made into. */
export const exampleTools = Effect.gen(function* () {
  const examples = yield* Examples

  return [
    tool({
      name: "get_example",
      title: "Read an example",
      description: "Reads how an example is: its status, confidence, model, map, and why it failed.",
      input: Schema.Struct({ example_id: ExampleId }),
      output: output(Example),
      annotations: reads,
      next,
      also: exampleNotes,
      handle: ({ example_id }) => examples.get(example_id)
    }),
    tool({
      name: "get_example_messages",
      title: "Read an example's messages",
      description:
        "Reads the conversation of a COMPLETED example: chat messages with tool calls. Answers as many as fit into `max_chars`; long texts are cut and say so. Call again with `next_index` for more.",
      input: Schema.Struct({
        example_id: ExampleId,
        from_index: Schema.optionalWith(Schema.Int.pipe(Schema.between(0, 1_000_000)), {
          default: () => 0
        }).annotations({ description: "Where to begin: the `next_index` of the answer before; 0 is the beginning", default: 0 }),
        ...windowing
      }),
      output: written(ExampleMessages),
      annotations: reads,
      next,
      also: ({ example_id }) => [
        {
          type: "resource_link",
          uri: messagesUri(example_id),
          name: `messages of example ${example_id}`,
          mimeType: "application/x-ndjson",
          description: "All of its messages, uncut"
        }
      ],
      handle: ({ example_id, from_index, max_chars }) =>
        Effect.gen(function* () {
          const window = new Window(max_chars, bare)
          yield* lines(yield* examples.messages(example_id)).pipe(
            Stream.zipWithIndex,
            Stream.drop(from_index),
            // They are ours: one that cannot be read is our fault.
            Stream.mapEffect(([line, index]) => Effect.map(Effect.orDie(decode(line)), (message) => ({ message, index }))),
            Stream.takeWhile(({ message, index }) => window.add(message, index)),
            Stream.runDrain
          )
          return { example_id, messages: window.items, next_index: window.next }
        })
    })
  ]
})
