import { Command } from "@effect/cli"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "@effect/platform"
import { Console, Effect, Schedule, Schema } from "effect"
import type { Example } from "../domain/example/Example.ts"
import type { SuiteId } from "../domain/Ids.ts"
import { Session } from "../domain/session/Session.ts"
import { coffeeShop } from "./demo/CoffeeShop.ts"
import recordings from "./demo/recordings.json" with { type: "json" }
import { client, connection, credentials, everything, ForeignAnswer, suiteId, type TypedClient } from "./Remote.ts"
import { apply } from "./surface/Apply.ts"
import { columns } from "./Table.ts"

/** An example of the demo did not come to a good end. */
class DemoFailed extends Schema.TaggedError<DemoFailed>("cli/DemoFailed")("DemoFailed", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

type Recording = (typeof recordings)[number]

const lines = (values: ReadonlyArray<unknown>) => values.map((value) => `${JSON.stringify(value)}\n`).join("")

const formOf = (suite_id: SuiteId, { description, input_events, network_traffic }: Recording) => {
  const form = new FormData()
  form.set("suite_id", suite_id)
  form.set("description", description)
  form.set("input_events", new Blob([lines(input_events)]), "input_events.jsonl")
  form.set("network_traffic", new Blob([lines(network_traffic)]), "network_traffic.jsonl")
  return form
}

const uploaded = ({ base_url, api_key }: { base_url: string; api_key: string }, form: FormData) =>
  Effect.gen(function* () {
    const request = HttpClientRequest.post(`${base_url}/v1/sessions`).pipe(
      HttpClientRequest.setHeader("x-api-key", api_key),
      HttpClientRequest.bodyFormData(form)
    )
    const answer = yield* HttpClient.execute(request)
    const text = yield* answer.text
    return yield* Effect.mapError(
      Schema.decode(Schema.parseJson(Session))(text),
      () => new ForeignAnswer({ url: base_url, detail: `status ${answer.status}: ${text.slice(0, 300)}` })
    )
  })

/** Waits until the example is made. */
const finished = (api: TypedClient, id: Example["id"]) =>
  api.examples.get({ path: { id } }).pipe(
    Effect.filterOrFail(
      ({ status }) => status !== "PENDING" && status !== "RUNNING",
      () => "unfinished" as const
    ),
    Effect.retry({
      schedule: Schedule.spaced("100 millis").pipe(Schedule.upTo("2 minutes")),
      while: (error) => error === "unfinished"
    }),
    Effect.mapError((error) =>
      error === "unfinished" ? new DemoFailed({ detail: `example ${id} is not made after two minutes` }) : error
    ),
    Effect.filterOrFail(
      ({ status }) => status === "COMPLETED",
      ({ status, error_message }) => new DemoFailed({ detail: `example ${id} is ${status}: ${error_message}` })
    )
  )

/** `tracepipe demo`: the whole way once, offline; what goes to stdout is a fine-tuning file. */
export const demoCommand = Command.make("demo", connection, (options) =>
  Effect.gen(function* () {
    const at = yield* credentials(options)
    const api = yield* client(options)

    yield* Console.error("1. A coffee shop: its actions, its tools, and which tool does what")
    const applied = yield* apply(api, coffeeShop)
    yield* Console.error(columns(applied.map(({ kind, name, change, detail }) => [`   ${change}`, kind, name, detail])))

    yield* Console.error(`2. ${recordings.length} recordings of a person who orders there in a browser`)
    const suite_id = yield* suiteId(api, coffeeShop.suite.name)
    const sessions = yield* Effect.forEach(recordings, (recording) => uploaded(at, formOf(suite_id, recording)))

    const models = yield* everything((page) => api.models.list({ urlParams: { limit: 100, ...page } }))
    const lexical = models.find(({ provider, name }) => provider === "BUILTIN" && name === "lexical")
    if (lexical === undefined) return yield* new DemoFailed({ detail: "the service has no model BUILTIN/lexical" })

    yield* Console.error("3. Examples of them, by BUILTIN/lexical, offline")
    const examples = yield* Effect.forEach(sessions, ({ id: session_id }) =>
      api.examples.create({ payload: { session_id, model_id: lexical.id, model_configuration: {}, range: null } })
    )
    const made = yield* Effect.forEach(examples, ({ id }) => finished(api, id))
    yield* Console.error(
      columns(
        made.map(({ confidence, message_count }, index) => [
          `   ${recordings[index]?.description ?? ""}`,
          `${message_count} messages`,
          `confidence ${confidence}`
        ])
      )
    )

    yield* Console.error("4. OpenAI's fine-tuning file of them, on stdout; the same by GET /v1/examples/export\n")
    for (const { session_id } of made) {
      const text = yield* api.examples.export({ urlParams: { format: "openai", session_id, dedupe: false } })
      yield* Console.log(text.trimEnd())
    }
  }).pipe(Effect.provide(FetchHttpClient.layer))
).pipe(
  Command.withDescription("record, describe and produce, once, with a small coffee shop; prints a fine-tuning file")
)
