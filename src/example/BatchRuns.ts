import { SqlClient } from "@effect/sql"
import { Effect, Schema, Stream } from "effect"
import type { CreateExampleBatch } from "../domain/example/ExampleBatch.ts"
import type { BatchRun } from "../domain/example/ExampleBatchWorkflow.ts"
import type { SessionId } from "../domain/Ids.ts"
import type { Tenant } from "../domain/Principal.ts"
import type { Session } from "../domain/session/Session.ts"
import { Audit } from "../identity/Audit.ts"
import { isPassingFailure, orDefect } from "../platform/SqlFailure.ts"
import { Timeline } from "../session/Timeline.ts"
import { BatchesRepo, type Reason } from "./BatchesRepo.ts"
import { isBrowser } from "./ExampleRuns.ts"
import { ExampleStarts } from "./ExampleStarts.ts"
import { succeeded } from "./pipeline/Outcome.ts"
import { Cutter, maxParts, type Part } from "./pipeline/Split.ts"
import { SourcesRepo } from "./SourcesRepo.ts"
import type { StageFailed } from "./StageFailed.ts"

/** How many sessions one stage goes through. */
const sessionsAtOnce = 25
/** Once so many examples were begun in a turn, it ends. */
const examplesAtOnce = 200
const notBegun: Reason = {
  code: "not_begun",
  detail: "it, or its model or map, was deleted meanwhile, or the service failed; its log says how"
}

/** What a stage came to: whether there is more, and how many examples are under way. */
export const Advanced = Schema.Struct({ more: Schema.Boolean, open: Schema.Int })

/** Nothing is made of the session; a reason for people and one for programs. */
class Unfit extends Schema.TaggedError<Unfit>("example/Unfit")("Unfit", {
  code: Schema.String,
  detail: Schema.String
}) {}

const unfit = (code: string, detail: string) => new Unfit({ code, detail })

/** The stages of a batch; each can be done again with the same outcome. */
export class BatchRuns extends Effect.Service<BatchRuns>()("example/BatchRuns", {
  dependencies: [BatchesRepo.Default, SourcesRepo.Default, ExampleStarts.Default, Timeline.Default, Audit.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const repo = yield* BatchesRepo
    const audit = yield* Audit
    const sources = yield* SourcesRepo
    const starts = yield* ExampleStarts
    const timeline = yield* Timeline

    /** The parts of a session; it is read only where that tells more. */
    const cut = (tenant: Tenant, session: Session, { split, outcome }: CreateExampleBatch) =>
      Effect.gen(function* () {
        const browser = isBrowser(session)
        if (split === (browser ? "turn" : "episode")) {
          const other = browser
            ? "turns are cut in conversations of agents"
            : "episodes are cut in browsers' recordings"
          return yield* unfit("unfit_split", `${other}: use another split for this session`)
        }
        const whole: ReadonlyArray<Part> = [{ range: null, succeeded: undefined }]
        if (browser && split === "session" && outcome === undefined) return whole
        const cutter = new Cutter(split, browser)
        const { events } = yield* timeline.open(tenant, session)
        yield* Stream.runForEachChunk(events, (chunk) =>
          Effect.sync(() => {
            for (const event of chunk) cutter.add(event)
          })
        )
        const parts = cutter.end()
        return parts ?? (yield* unfit("too_many_parts", `it has more than ${maxParts} parts: make examples of ranges`))
      }).pipe(
        Effect.catchTags({
          NotFound: () => unfit("gone", "the session was deleted"),
          SessionNotReady: () => unfit("not_ready", "the session is not READY"),
          TimelineUnreadable: ({ message }) => unfit("unreadable_recording", message)
        })
      )

    /** What people say of a session counts more than what it says of itself. */
    const kept = (session: Session, parts: ReadonlyArray<Part>, { outcome }: CreateExampleBatch) =>
      Effect.gen(function* () {
        if (outcome === undefined) return parts
        const labelled = succeeded(session.metadata)
        const good = parts.filter((part) => labelled ?? part.succeeded)
        if (good.length > 0) return good
        return yield* labelled === false || parts.some((part) => part.succeeded === false)
          ? unfit("not_successful", "it did not succeed")
          : unfit("unknown_outcome", "neither its metadata nor the recording says whether it succeeded")
      })

    /** What is to be made of one session. */
    const planned = (tenant: Tenant, id: SessionId, wanted: CreateExampleBatch) =>
      Effect.gen(function* () {
        const session = (yield* sources.session(tenant, id)) ?? (yield* unfit("gone", "the session was deleted"))
        if (session.status !== "READY") return yield* unfit("not_ready", "the session is not READY")
        const { model_id, model_configuration } = wanted
        const model = (yield* sources.model(tenant, model_id)) ?? (yield* unfit("gone", "the model was deleted"))
        yield* starts.usable(session, model, model_configuration)
        const action_tool_map_id = yield* starts.mapOf(tenant, session.suite_id, wanted.action_tool_map_id)
        const parts = yield* kept(session, yield* cut(tenant, session, wanted), wanted)
        if (parts.length === 0) return yield* unfit("no_parts", "no turn of it calls a tool")
        return parts.map(({ range }) => ({
          org_id: tenant.org_id,
          session_id: id,
          suite_id: session.suite_id,
          model_id,
          model: `${model.provider}/${model.name}`,
          action_tool_map_id,
          model_configuration,
          from_seq: range?.from_seq ?? null,
          to_seq: range?.to_seq ?? null
        }))
      }).pipe(
        Effect.catchTags({
          NotFound: ({ detail }) => unfit("gone", detail),
          ValidationError: ({ detail }) => unfit("invalid", detail)
        })
      )

    /** Goes through the next sessions and begins the examples of each in one transaction. */
    const advance = Effect.fn("BatchRuns.advance")(function* (run: BatchRun) {
      const job = yield* repo.enter(run, sessionsAtOnce)
      if (job === undefined) return { more: false, open: 0 }
      const tenant = { org_id: job.org_id, suite_ids: job.suite_ids }
      let begun = 0
      for (const [at, id] of job.next.entries()) {
        const plan = yield* Effect.either(planned(tenant, id, job.payload))
        const reason: Reason | undefined =
          plan._tag === "Left" && plan.left._tag === "Unfit"
            ? { code: plan.left.code, detail: plan.left.detail.slice(0, 1000) }
            : undefined
        if (plan._tag === "Left" && plan.left._tag !== "Unfit") return yield* plan.left
        const examples = plan._tag === "Right" ? plan.right : []
        const began = Effect.gen(function* () {
          if (!(yield* repo.advance(run, job.done + at + 1, id, reason))) return
          for (const example of examples) {
            yield* starts.begin({ ...example, job_id: run.job_id }, (entry) => audit.recordSystem(job.org_id, entry))
          }
        }).pipe(sql.withTransaction, orDefect)
        // What was deleted since it was planned, or anything else about one session, is no reason to leave the others.
        yield* Effect.catchAllDefect(began, (defect) =>
          isPassingFailure(defect)
            ? Effect.die(defect)
            : Effect.zipRight(
                Effect.logWarning(`nothing could be made of session ${id}`, defect),
                Effect.asVoid(repo.advance(run, job.done + at + 1, id, notBegun))
              )
        )
        yield* starts.began
        begun += examples.length
        if (begun >= examplesAtOnce && at + 1 < job.next.length) {
          return { more: true, open: yield* repo.openExamples(run) }
        }
      }
      return { more: job.next.length === sessionsAtOnce, open: yield* repo.openExamples(run) }
    })

    /** How many of the job's examples are under way. */
    const open = Effect.fn("BatchRuns.open")((run: BatchRun) => repo.openExamples(run))

    const finish = Effect.fn("BatchRuns.finish")((run: BatchRun) => repo.end(run, undefined))

    const fail = Effect.fn("BatchRuns.fail")((run: BatchRun, failure: StageFailed) => repo.end(run, failure))

    return { advance, open, finish, fail } as const
  })
}) {}
