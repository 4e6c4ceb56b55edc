import { Effect, Schema } from "effect"
import { Example } from "../../../domain/example/Example.ts"
import { FindExamples, FoundExample } from "../../../domain/example/FoundExample.ts"
import { Message } from "../../../domain/example/Message.ts"
import { ExampleId } from "../../../domain/Ids.ts"
import { Page } from "../../../domain/Page.ts"
import { ExampleSearch } from "../../../example/ExampleSearch.ts"
import { Examples } from "../../../example/Examples.ts"
import { messageWindow } from "../MessageWindow.ts"
import { output, paging, reads, tool, windowing, written } from "../Tool.ts"
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

const none = {
  type: "text",
  text: "None fits. Look with fewer conditions, or make one: call list_sessions, then create_example."
} as const

/** Examples: what sessions were made into. */
export const exampleTools = Effect.gen(function* () {
  const examples = yield* Examples
  const search = yield* ExampleSearch

  return [
    tool({
      name: "find_examples",
      title: "Find examples",
      description:
        "Finds completed examples that show how something is done, by suite, action, tool or words, best first: what to learn from before doing it. get_example_messages reads one.",
      input: Schema.Struct({ ...FindExamples.fields, ...paging }),
      output: output(Page("FoundExamplePage", FoundExample)),
      annotations: reads,
      next: { BadRequest: "Leave `cursor` out for the first page." },
      also: ({ items }) => (items.length === 0 ? [none] : []),
      handle: (query) => search.find(query)
    }),
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
        }).annotations({
          description: "Where to begin: the `next_index` of the answer before; 0 is the beginning",
          default: 0
        }),
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
          const shown = yield* messageWindow(yield* examples.messages(example_id), { from_index, max_chars })
          return { example_id, ...shown }
        })
    })
  ]
})
