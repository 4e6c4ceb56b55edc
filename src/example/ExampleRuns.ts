import { Effect, Either, Schema } from "effect"
import type { ExampleRun } from "../domain/example/ExampleWorkflow.ts"
import type { Message, ToolDefinition } from "../domain/example/Message.ts"
import type { Format, Session } from "../domain/session/Session.ts"
import { settingsOf } from "../platform/llm/LlmSettings.ts"
import { Settings } from "../platform/Settings.ts"
import { redactText } from "../session/RedactText.ts"
import { Timeline } from "../session/Timeline.ts"
import { Metrics } from "../telemetry/Metrics.ts"
import { ExampleObjects } from "./ExampleObjects.ts"
import { ExampleSearchRepo } from "./ExampleSearchRepo.ts"
import { LlmClassifier } from "./LlmClassifier.ts"
import { agentConversation } from "./pipeline/AgentConversation.ts"
import { faults } from "./pipeline/Grammar.ts"
import { lexical } from "./pipeline/Lexical.ts"
import { showing } from "./pipeline/Showing.ts"
import { type Setting, synthesise } from "./pipeline/Synthesise.ts"
import { conversation, recognise, within } from "./Recognise.ts"
import { RunsRepo } from "./RunsRepo.ts"
import { SourcesRepo } from "./SourcesRepo.ts"
import { StageFailed } from "./StageFailed.ts"

/** Recordings of people; the others are of agents, whose calls are told already. */
const browserFormats: ReadonlySet<Format> = new Set([
  "tracepipe.browser/v1",
  "chrome.recorder",
  "chrome.trace",
  "har",
  "playwright.trace"
])

/** True when actions have to be recognised; an agent's conversation holds its calls. */
export const isBrowser = ({ format }: Pick<Session, "format">): boolean => format !== null && browserFormats.has(format)

export const RecordedStep = Schema.Struct({
  action: Schema.String,
  parameters: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
  confidence: Schema.Number,
  evidence: Schema.Struct({ from_seq: Schema.Int, to_seq: Schema.Int }),
  result: Schema.NullOr(Schema.String)
})

/** Secrets that were taken out, by kind. */
const Redactions = Schema.Record({ key: Schema.String, value: Schema.Int })

/** What was recognised, and what the person wanted, where the classifier says so. */
export const Classified = Schema.Struct({
  steps: Schema.Array(RecordedStep),
  intent: Schema.NullOr(Schema.String),
  redactions: Redactions
})
export type Classified = typeof Classified.Type

export const Written = Schema.Struct({
  storage_path: Schema.String,
  confidence: Schema.Number,
  needs_review: Schema.Boolean,
  message_count: Schema.Int,
  content_hash: Schema.String,
  map_version: Schema.NullOr(Schema.Int),
  redactions: Redactions
})

/** How many runs of one process are at work at once; further ones wait. */
const runsAtOnce = 16
/** The same for those that wait for a language model, most of the time. */
const modelsAtOnce = 64

const failed = (code: string, detail: string) => new StageFailed({ code, detail })
const gone = failed("gone", "the example, its session or its map was deleted")
const modelDeleted = failed("model_deleted", "the model was deleted: make a new example with another one")
const rounded = (value: number) => Math.round(value * 1000) / 1000
const quoted = (names: ReadonlyArray<string>) =>
  names
    .slice(0, 20)
    .map((name) => JSON.stringify(name))
    .join(", ")

const counted = (counts: Readonly<Record<string, number | undefined>>): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(counts).flatMap(([kind, count]) => (count === undefined ? [] : [[kind, count]])))

interface Made {
  readonly messages: ReadonlyArray<Message>
  readonly confidence: number
  readonly incomplete: boolean
  /** Those that were recognised; undefined where only their calls are known. */
  readonly actions?: ReadonlyArray<string>
}

/** The stages of an example; each can be done again with the same outcome. */
export class ExampleRuns extends Effect.Service<ExampleRuns>()("example/ExampleRuns", {
  dependencies: [
    RunsRepo.Default,
    SourcesRepo.Default,
    Timeline.Default,
    ExampleObjects.Default,
    ExampleSearchRepo.Default,
    LlmClassifier.Default,
    Metrics.Default
  ],
  effect: Effect.gen(function* () {
    const runs = yield* RunsRepo
    const sources = yield* SourcesRepo
    const timeline = yield* Timeline
    const objects = yield* ExampleObjects
    const search = yield* ExampleSearchRepo
    const llm = yield* LlmClassifier
    const metrics = yield* Metrics
    const room = yield* Effect.makeSemaphore(runsAtOnce)
    const modelRoom = yield* Effect.makeSemaphore(modelsAtOnce)
    const { examples, redaction } = yield* Settings

    const opened = ({ example_id }: ExampleRun) =>
      Effect.gen(function* () {
        const row = (yield* sources.run(example_id)) ?? (yield* gone)
        const session = (yield* sources.sessionOf(example_id)) ?? (yield* gone)
        const { events, redacted } = yield* timeline.open({ org_id: row.org_id, suite_ids: null }, session)
        const { from_seq, to_seq } = row
        const range = from_seq === null || to_seq === null ? null : { from_seq, to_seq }
        return { row, session, events, redacted, range }
      }).pipe(Effect.scoped, Effect.catchTags({ NotFound: () => gone, SessionNotReady: () => gone }))

    const unreadable = (error: { readonly message: string }) =>
      failed("unreadable_recording", `the recording cannot be read: ${error.message}. Correct it and upload it again`)

    /** Marks the example as running; false: there is nothing to do any more. */
    const load = Effect.fn("ExampleRuns.load")((run: ExampleRun) => runs.enter(run, "load"))

    /** The classifier that the example's model is. */
    const classifierOf = (run: ExampleRun, { row, session }: Effect.Effect.Success<ReturnType<typeof opened>>) =>
      Effect.gen(function* () {
        if (row.model === lexical.name) return lexical
        const model = (yield* sources.modelOf(run.example_id)) ?? (yield* modelDeleted)
        const settings = yield* Either.mapLeft(settingsOf(row.model_configuration), ({ path, message }) =>
          failed("invalid_model_configuration", `model_configuration.${path}: ${message}: make a new example`)
        )
        // Said by people, not recorded: the timeline's redaction does not see it.
        const description = redactText(session.description, redaction.patterns, () => {})
        const proceed = Effect.flatMap(runs.enter(run, "classify"), (isOpen) => (isOpen ? Effect.void : gone))
        return llm.of({ run, org_id: row.org_id, model, settings, suite: row.suite, description, proceed })
      })

    /** Timeline, episodes and actions in one pass, so that no stage holds the whole of another's. */
    const classify = Effect.fn("ExampleRuns.classify")(function* (run: ExampleRun) {
      if (!(yield* runs.enter(run, "classify"))) return yield* gone
      const source = yield* opened(run)
      if (!isBrowser(source.session)) return { steps: [], intent: null, redactions: {} }
      const actions = yield* sources.actions(run.example_id)
      const classifier = yield* classifierOf(run, source)
      const recognised = yield* recognise(classifier, actions, within(source.range, source.events)).pipe(
        Effect.catchTag("TimelineUnreadable", unreadable),
        (classifier === lexical ? room : modelRoom).withPermits(1)
      )
      return { ...recognised, redactions: counted(source.redacted()) }
    })

    const settingOf = (run: ExampleRun, suite: Setting["suite"], description: string) =>
      Effect.map(sources.mappings(run.example_id), (mappings) => {
        const tools = new Map<string, ToolDefinition>(
          mappings.map(({ tool, tool_description, input_schema }) => [
            tool,
            { type: "function", function: { name: tool, description: tool_description, parameters: input_schema } }
          ])
        )
        return { suite, description, mappings, tools: [...tools.values()] } satisfies Setting
      })

    const fromSteps = (setting: Setting, steps: ReadonlyArray<typeof RecordedStep.Type>) =>
      Effect.gen(function* () {
        if (steps.length === 0) {
          return yield* failed(
            "no_actions_recognised",
            "none of the suite's actions was recognised: name and describe actions with the words of the application, or choose another model or range"
          )
        }
        const { messages, mapped, unmapped } = synthesise(setting, steps)
        if (mapped.length === 0) {
          return yield* failed(
            "no_mapped_actions",
            `the map has no tool for the recognised actions ${quoted(unmapped)}: add mappings and retry`
          )
        }
        const confidence = rounded(mapped.reduce((sum, step) => sum + step.confidence, 0) / mapped.length)
        const actions = mapped.map(({ action }) => action)
        return { messages, confidence, incomplete: unmapped.length > 0, actions } satisfies Made
      })

    const fromConversation = (setting: Setting, source: Effect.Effect.Success<ReturnType<typeof opened>>) =>
      Effect.gen(function* () {
        const events = yield* conversation(source.range, source.events).pipe(
          Effect.catchTag("TimelineUnreadable", unreadable)
        )
        const { messages, matched, calls, unknown } = agentConversation(setting, events)
        if (matched === 0) {
          const why = calls === 0 ? "the conversation calls no tools" : `it calls ${quoted(unknown)}`
          return yield* failed(
            "no_matching_tool_calls",
            `no call in the conversation is of a tool of the map: ${why}. Map actions to tools of these names and retry`
          )
        }
        return { messages, confidence: rounded(matched / calls), incomplete: matched < calls } satisfies Made
      })

    /** Synthesises the messages, checks them, and makes them durable. */
    const write = Effect.fn("ExampleRuns.write")(function* (
      run: ExampleRun,
      { steps, intent, redactions }: Classified
    ) {
      if (!(yield* runs.enter(run, "write"))) return yield* gone
      const source = yield* opened(run)
      const { row, session } = source
      if (row.action_tool_map_id === null) {
        return yield* failed("map_deleted", "the action–tool map was deleted: make a new example with another one")
      }
      // Said by people, not recorded: the timeline's redaction does not see it.
      const description = redactText(session.description, redaction.patterns, () => {})
      const wanted = description.trim() === "" ? (intent ?? "") : description
      const setting = yield* settingOf(run, row.suite, wanted)
      const made: Made = yield* isBrowser(session) ? fromSteps(setting, steps) : fromConversation(setting, source)
      const wrong = faults(made.messages, new Set(setting.tools.map((tool) => tool.function.name)))
      const [first] = wrong
      if (first !== undefined) {
        return yield* failed(
          "invalid_messages",
          `the messages are no valid conversation (line ${first.line}: ${first.message}): choose a range that begins with a user's message and ends with the assistant's`
        )
      }
      const content_hash = yield* objects.write(row.storage_path, made.messages, setting.tools)
      yield* search.describe(
        { id: run.example_id, attempt: run.attempt },
        showing(made.messages, setting.mappings, made.actions)
      )
      return {
        storage_path: row.storage_path,
        confidence: made.confidence,
        needs_review: made.confidence < examples.confidence_threshold || made.incomplete,
        message_count: made.messages.length,
        content_hash,
        map_version: row.map_version,
        // A conversation was read just now, a browser's recording when its actions were recognised.
        redactions: isBrowser(session) ? redactions : counted(source.redacted())
      } satisfies typeof Written.Type
    }, room.withPermits(1))

    /** Makes the outcome visible. What was written for an example that is gone or cancelled is removed. */
    const record = Effect.fn("ExampleRuns.record")(function* (
      run: ExampleRun,
      { storage_path, ...outcome }: typeof Written.Type
    ) {
      yield* runs.enter(run, "record")
      const seconds = yield* runs.complete(run, outcome)
      if (seconds !== undefined) {
        metrics.jobs.observe({ kind: "Example", status: "COMPLETED" }, seconds)
        return
      }
      const state = yield* runs.state(run)
      // A retry writes elsewhere: what it makes is not touched, even when it comes in this moment.
      const isAbandoned =
        state === undefined ||
        state.storage_path !== storage_path ||
        (state.status === "CANCELLED" && state.attempts === run.attempt)
      if (isAbandoned) yield* objects.remove(storage_path)
    })

    const fail = Effect.fn("ExampleRuns.fail")(function* (run: ExampleRun, { code, detail }: StageFailed) {
      const seconds = yield* runs.fail(run, code, detail)
      if (seconds !== undefined) metrics.jobs.observe({ kind: "Example", status: "FAILED" }, seconds)
    })

    return { load, classify, write, record, fail } as const
  })
}) {}
