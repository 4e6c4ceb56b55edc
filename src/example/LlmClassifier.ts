import { Effect, Schema } from "effect"
import type { RateLimited } from "../domain/Errors.ts"
import type { ActionSurface, Classification } from "../domain/example/Classification.ts"
import type { ExampleRun } from "../domain/example/ExampleWorkflow.ts"
import type { Model } from "../domain/example/Model.ts"
import type { OrganizationId } from "../domain/Ids.ts"
import { Quotas } from "../identity/Quotas.ts"
import { Llm } from "../platform/Llm.ts"
import type { LlmFailed, LlmUsage } from "../platform/llm/LlmFailed.ts"
import type { LlmSettings } from "../platform/llm/LlmSettings.ts"
import { Metrics } from "../telemetry/Metrics.ts"
import { AnswersRepo, type Spent } from "./AnswersRepo.ts"
import type { Classifier } from "./pipeline/Classify.ts"
import { answerSchema, checked } from "./pipeline/LlmAnswer.ts"
import { againPrompt, type Briefing, shown, systemPrompt, windowPrompt } from "./pipeline/LlmPrompt.ts"
import { joined, tokensOf, type Window, Windows } from "./pipeline/Windows.ts"
import { StageFailed } from "./StageFailed.ts"

/** What a model does for one example. */
export interface Assignment extends Omit<Briefing, "actions"> {
  readonly run: ExampleRun
  /** Whose tokens are used. */
  readonly org_id: OrganizationId
  readonly model: Pick<Model, "provider" | "name" | "base_url" | "input_price" | "output_price" | "context_window">
  readonly settings: LlmSettings
  /** Fails when the example is not to be made any more. */
  readonly proceed: Effect.Effect<void, StageFailed>
}

/** What is asked about one window. */
interface Question {
  readonly actions: ReadonlyArray<ActionSurface>
  readonly system: string
  readonly user: string
  readonly window: Window
}

/** What most models of today have at least. */
const defaultWindow = 32_000
/** Longer prompts are read less well, and cost more when they are asked again. */
const largestPrompt = 48_000
const defaultAnswer = 8192
/** What is told of the windows before, and the schema. */
const besides = 1000
const smallestBudget = 1000

/** Longer recordings are several examples, and would cost more than anybody expects. */
const maxWindows = 50

const tooLong = new StageFailed({
  code: "too_long",
  detail: `the recording is longer than ${maxWindows} windows of the model: make examples of ranges of its timeline`
})

const tooSmall = new StageFailed({
  code: "context_window_too_small",
  detail:
    "the suite's actions leave no room for the recording in the model's context window: give the model its true context_window, shorten the actions' descriptions, or choose another model"
})

const Kept = Schema.Struct({
  intent: Schema.NullOr(Schema.String),
  found: Schema.Array(
    Schema.Struct({
      action: Schema.String,
      parameters: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
      confidence: Schema.Number,
      evidence: Schema.Struct({ from_seq: Schema.Int, to_seq: Schema.Int })
    })
  )
})

const priced = ({ tokens_in, tokens_out }: LlmUsage, { input_price, output_price }: Assignment["model"]): Spent => ({
  tokens_in,
  tokens_out,
  cost:
    input_price === null || output_price === null
      ? null
      : (tokens_in * input_price + tokens_out * output_price) / 1_000_000
})

const sum = (a: LlmUsage, b: LlmUsage): LlmUsage => ({
  tokens_in: a.tokens_in + b.tokens_in,
  tokens_out: a.tokens_out + b.tokens_out
})

const overQuota = ({ detail }: RateLimited) =>
  new StageFailed({ code: "quota_exceeded", detail: `${detail}: retry it then` })

const toStage = ({ code, detail }: LlmFailed) => new StageFailed({ code, detail })

/** The tokens that episodes may take beside what is told once and the answer. */
const budgetOf = ({ model, settings }: Assignment, system: string) => {
  const context = Math.min(model.context_window ?? defaultWindow, largestPrompt + defaultAnswer)
  const answer = Math.min(settings.max_tokens ?? defaultAnswer, Math.floor(context / 4))
  return context - answer - tokensOf(system) - besides
}

/** Recognition by language models. */
export class LlmClassifier extends Effect.Service<LlmClassifier>()("example/LlmClassifier", {
  dependencies: [AnswersRepo.Default, Quotas.Default, Metrics.Default],
  effect: Effect.gen(function* () {
    const llm = yield* Llm
    const answers = yield* AnswersRepo
    const metrics = yield* Metrics
    const quotas = yield* Quotas

    const count = ({ org_id, model: { provider } }: Assignment, { tokens_in, tokens_out, cost }: Spent) =>
      Effect.sync(() => {
        quotas.count(org_id, "tokens", tokens_in + tokens_out)
        metrics.llmTokens.inc({ provider, direction: "in" }, tokens_in)
        metrics.llmTokens.inc({ provider, direction: "out" }, tokens_out)
        metrics.llmCost.inc({ provider }, cost ?? 0)
      })

    /**
     * Asks, and asks once more where the answer does not fit. What an answer used is counted also where
     * nothing comes of it.
     */
    const asked = (assignment: Assignment, { actions, system, user, window }: Question) =>
      Effect.gen(function* () {
        const { run, model, settings } = assignment
        const schema = answerSchema(actions)
        const lost = (usage: LlmUsage) =>
          usage.tokens_in + usage.tokens_out === 0 ? Effect.void : answers.spend(run, priced(usage, model))
        const ask = (prompt: string) =>
          llm.object({ model, settings, system, user: prompt, schema, name: "recognised_actions" }).pipe(
            Effect.tapBoth({
              onSuccess: ({ usage }) => count(assignment, priced(usage, model)),
              onFailure: ({ usage }) => count(assignment, priced(usage, model))
            }),
            Effect.map(({ value, usage }) => ({ ...checked(value, actions, window), usage })),
            Effect.catchAll((failure) =>
              failure.code === "invalid_model_output" && failure.fault !== undefined
                ? Effect.succeed({ failure, faults: [failure.fault], usage: failure.usage })
                : Effect.zipRight(lost(failure.usage), Effect.fail(failure))
            )
          )
        const one = yield* ask(user)
        if (one.faults.length === 0 && !("failure" in one)) return one
        const two = yield* ask(againPrompt(user, one.faults)).pipe(Effect.tapError(() => lost(one.usage)))
        const usage = sum(one.usage, two.usage)
        if (!("failure" in two)) return { ...two, usage }
        if (!("failure" in one)) return { ...one, usage }
        yield* lost(usage)
        return yield* two.failure
      }).pipe(Effect.mapError(toStage))

    /** What is in a window: what was kept, else what the model answers, which is kept. */
    const answered = (assignment: Assignment, question: Question) =>
      Effect.gen(function* () {
        const { run, model, settings } = assignment
        const { system, user } = question
        const key = JSON.stringify([model.provider, model.name, model.base_url, settings, system, user])
        const hash = new Bun.CryptoHasher("sha256").update(key).digest("hex")
        const kept = yield* answers.find(Kept, run.example_id, hash)
        if (kept !== undefined) return kept
        yield* assignment.proceed
        yield* Effect.mapError(quotas.check(assignment.org_id, "tokens"), overQuota)
        const { found, intent, usage } = yield* asked(assignment, question)
        yield* answers.keep(run, hash, { found, intent }, priced(usage, model))
        return { found, intent }
      })

    /** The classifier of one example's model: it is asked about one window after the other, as each is told what came before. */
    const of = (assignment: Assignment): Classifier<StageFailed> => ({
      name: `${assignment.model.provider}/${assignment.model.name}`,
      start: (actions) => {
        const system = systemPrompt({ ...assignment, actions })
        const budget = budgetOf(assignment, system)
        const windows = new Windows(budget)
        const full: Array<Window> = []
        let seen = 0
        let steps: ReadonlyArray<Classification> = []
        let intent: string | null = null
        const look = (window: Window) => {
          const user = windowPrompt(window, { steps, intent })
          return Effect.map(answered(assignment, { actions, system, user, window }), (answer) => {
            steps = joined(steps, answer.found)
            intent = answer.intent ?? intent
          })
        }
        const add = (window: Window | undefined): Effect.Effect<void, StageFailed> => {
          if (window === undefined) return Effect.void
          if (budget < smallestBudget) return tooSmall
          full.push(window)
          return full.length > maxWindows ? tooLong : Effect.void
        }
        return {
          push: (episode) =>
            Effect.suspend(() => {
              seen += 1
              return Effect.as(add(windows.push(shown(seen, episode))), [])
            }),
          // Asked when all is read: a recording is not kept open for as long as models take.
          end: Effect.gen(function* () {
            yield* add(windows.end())
            if (actions.length === 0) return []
            yield* Effect.forEach(full, look, { discard: true })
            return steps
          }),
          intent: () => intent
        }
      }
    })

    return { of } as const
  })
}) {}
