import { Effect, ParseResult, Schema } from "effect"
import { Suites } from "../../capability/Suites.ts"
import { BadRequest, NotFound } from "../../domain/Errors.ts"
import type { FoundExample } from "../../domain/example/FoundExample.ts"
import type { Message } from "../../domain/example/Message.ts"
import { type ExampleId, SuiteId } from "../../domain/Ids.ts"
import { issuesOf, issuesText } from "../../domain/Issues.ts"
import { Text } from "../../domain/Json.ts"
import { ExampleSearch } from "../../example/ExampleSearch.ts"
import { Examples } from "../../example/Examples.ts"
import type { PromptAnswer, PromptDescription } from "../Surface.ts"
import { cutText } from "./Cut.ts"
import { messageWindow } from "./MessageWindow.ts"
import { objectSchema } from "./SchemaText.ts"

type PromptMessage = PromptAnswer["messages"][number]

/** Of the examples that show the action, so many are looked at for the best. */
const lookedAt = 100
const exampleChars = 12_000
const textChars = 3000

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/** Prompts' arguments are texts. */
const Arguments = Schema.Struct({
  action: Text(1, 200).annotations({ description: "What is to be shown: an action of a suite, by its name or id" }),
  suite: optional(Text(1, 200)).annotations({ description: "Only of this suite, by its name or id" }),
  k: Schema.optionalWith(
    Schema.String.pipe(
      Schema.filter((text) => /^([1-9]|10)$/.test(text), { message: () => "must be a whole number from 1 to 10" }),
      Schema.compose(Schema.NumberFromString)
    ),
    { default: () => 3 }
  ).annotations({ description: "How many examples, 1 to 10; 3 otherwise" }),
  task: optional(Text(0, 20_000)).annotations({ description: "What is to be done after these examples" })
})
type Arguments = typeof Arguments.Type

const decode = Schema.decodeUnknown(Arguments, { errors: "all", onExcessProperty: "error" })
const { properties, required } = objectSchema(Arguments)

export const fewShot: PromptDescription = {
  name: "few_shot",
  title: "Examples of an action",
  description: "Shows how an action of an application is done with tools, by the best recorded examples of it",
  arguments: Object.entries(Object(properties)).map(([name, schema]) => ({
    name,
    description: String(Object(schema).description),
    required: Array.isArray(required) && required.includes(name)
  }))
}

const said = (role: PromptMessage["role"], text: string): PromptMessage => ({
  role,
  content: { type: "text", text }
})

/** The same of an example, which has to leave room for others. */
const shown = (role: PromptMessage["role"], text: string): PromptMessage => said(role, cutText(text, textChars))

const call = (name: string, json: string) => `Call of the tool ${name}:\n\`\`\`json\n${json}\n\`\`\``

/** A message in the roles that prompts have; tools' results are said by who is not the assistant. */
const rendered = (message: Message): PromptMessage => {
  switch (message.role) {
    case "system":
      return shown("user", `The setting: ${message.content}`)
    case "user":
      return shown("user", message.content)
    case "tool":
      return shown("user", `Result of the call:\n${message.content}`)
    case "assistant": {
      const calls = (message.tool_calls ?? []).map(({ function: { name, arguments: json } }) => call(name, json))
      return shown("assistant", [...(message.content === null ? [] : [message.content]), ...calls].join("\n\n"))
    }
  }
}

const title = ({ title, confidence }: FoundExample, at: number, of: number) => {
  const sure = confidence === null ? "" : `, confidence ${confidence}`
  return said("user", `Example ${at} of ${of}${sure}${title === "" ? "" : `: ${title}`}`)
}

const surest = (found: ReadonlyArray<FoundExample>) =>
  found.toSorted((one, other) => (other.confidence ?? 0) - (one.confidence ?? 0))

const rest = (id: ExampleId, from_index: number) =>
  said(
    "user",
    `The rest of this example is left out here: call get_example_messages with example_id ${id} and from_index ${from_index} for it.`
  )

const asked = (action: string, task: string | undefined) =>
  task === undefined || task.trim() === ""
    ? `These were examples of how ${action} is done. Do it in the same way when it is asked for.`
    : `Now do this in the same way:\n${task}`

const none = (action: string, task: string | undefined): PromptAnswer => ({
  description: `There are no examples of ${action} yet`,
  messages: [
    said(
      "user",
      `There are no examples of ${JSON.stringify(action)} yet. Check its name: list_suites and get_suite show the actions there are. To make an example, call list_sessions for a READY session in which it was done, then create_example with its id.`
    ),
    ...(task === undefined || task.trim() === "" ? [] : [said("user", `The task was:\n${task}`)])
  ]
})

const isSuiteId = Schema.is(SuiteId)

const wrong = (error: ParseResult.ParseError) => {
  const errors = issuesOf(ParseResult.ArrayFormatter.formatErrorSync(error), "the arguments")
  return new BadRequest({ detail: issuesText(errors), errors })
}

/** The prompt that shows examples of an action: the surest first, then the task. */
export const makeFewShot = Effect.gen(function* () {
  const suites = yield* Suites
  const search = yield* ExampleSearch
  const examples = yield* Examples

  const suiteOf = (suite: string) =>
    Effect.gen(function* () {
      if (isSuiteId(suite)) return suite
      const { items } = yield* suites.list({ q: suite, limit: 100 })
      const found = items.find(({ name }) => name === suite)
      if (found !== undefined) return found.id
      return yield* new NotFound({
        detail: `there is no suite ${JSON.stringify(suite)}: call list_suites for the names`
      })
    })

  /** What an example says; nothing of one that was deleted, or is made anew, since it was found. */
  const conversation = ({ id }: FoundExample) =>
    examples.messages(id).pipe(
      Effect.flatMap((bytes) => messageWindow(bytes, { from_index: 0, max_chars: exampleChars })),
      Effect.map(({ messages, next_index }) => [
        ...messages.map(rendered),
        ...(next_index === null ? [] : [rest(id, next_index)])
      ]),
      Effect.catchTags({ NotFound: () => Effect.succeed([]), ExampleState: () => Effect.succeed([]) })
    )

  const answer = ({ action, suite, k, task }: Arguments) =>
    Effect.gen(function* () {
      const suite_id = suite === undefined ? undefined : yield* suiteOf(suite)
      const within = suite_id === undefined ? {} : { suite_id }
      const { items } = yield* search.find({ action, ...within, limit: lookedAt })
      const there: Array<{ readonly found: FoundExample; readonly messages: ReadonlyArray<PromptMessage> }> = []
      for (const found of surest(items)) {
        if (there.length === k) break
        const messages = yield* conversation(found)
        if (messages.length > 0) there.push({ found, messages })
      }
      if (there.length === 0) return none(action, task)
      return {
        description: `How ${action} is done: ${there.length} of the surest examples`,
        messages: [
          ...there.flatMap(({ found, messages }, at) => [title(found, at + 1, there.length), ...messages]),
          said("user", asked(action, task))
        ]
      } satisfies PromptAnswer
    })

  return (input: Readonly<Record<string, string>>) => Effect.flatMap(Effect.mapError(decode(input), wrong), answer)
})
