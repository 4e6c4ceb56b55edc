import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { Issue, ValidationError } from "../domain/Errors.ts"
import { type CreateExample, ExampleState, exampleNotFound, type ReviewExample } from "../domain/example/Example.ts"
import { modelNotFound } from "../domain/example/Model.ts"
import type { ExampleId } from "../domain/Ids.ts"
import { CurrentPrincipal, scope, withPolicy } from "../domain/Principal.ts"
import { SessionNotReady, sessionNotFound } from "../domain/session/Session.ts"
import { Audit } from "../identity/Audit.ts"
import { Id } from "../platform/Id.ts"
import * as Keyset from "../platform/Keyset.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { Removals } from "../session/Removals.ts"
import { ExampleObjects, examplePrefix } from "./ExampleObjects.ts"
import { ExampleSearchRepo } from "./ExampleSearchRepo.ts"
import { ExampleStarts, invalid } from "./ExampleStarts.ts"
import { type ExampleFilter, ExamplesRepo } from "./ExamplesRepo.ts"
import { faults } from "./pipeline/Grammar.ts"
import { showing } from "./pipeline/Showing.ts"
import { SourcesRepo } from "./SourcesRepo.ts"

/** Examples: sessions, made into training conversations. */
export class Examples extends Effect.Service<Examples>()("example/Examples", {
  dependencies: [
    ExamplesRepo.Default,
    SourcesRepo.Default,
    ExampleStarts.Default,
    ExampleObjects.Default,
    ExampleSearchRepo.Default,
    Removals.Default,
    Audit.Default
  ],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const newId = yield* Id
    const repo = yield* ExamplesRepo
    const sources = yield* SourcesRepo
    const objects = yield* ExampleObjects
    const search = yield* ExampleSearchRepo
    const removals = yield* Removals
    const audit = yield* Audit
    const starts = yield* ExampleStarts
    const read = withPolicy(scope("examples:read"))
    const write = withPolicy(scope("examples:write"))

    const existing = (id: ExampleId) =>
      Effect.flatMap(CurrentPrincipal, (principal) =>
        Effect.flatMap(repo.find(principal, id), (found) =>
          found === undefined ? exampleNotFound(id) : Effect.succeed(found)
        )
      )

    const locked = (id: ExampleId) =>
      Effect.flatMap(CurrentPrincipal, (principal) =>
        Effect.flatMap(repo.lock(principal, id), (found) =>
          found === undefined ? exampleNotFound(id) : Effect.succeed(found)
        )
      )

    const create = Effect.fn("Examples.create")(function* (wanted: CreateExample) {
      const principal = yield* CurrentPrincipal
      const made = yield* Effect.gen(function* () {
        const session =
          (yield* sources.session(principal, wanted.session_id)) ?? (yield* sessionNotFound(wanted.session_id))
        const model = (yield* sources.model(principal, wanted.model_id)) ?? (yield* modelNotFound(wanted.model_id))
        if (session.status !== "READY")
          return yield* new SessionNotReady({ id: session.id, session_status: session.status })
        yield* starts.usable(session, model, wanted.model_configuration)
        const example = yield* starts.begin(
          {
            org_id: principal.org_id,
            session_id: session.id,
            suite_id: session.suite_id,
            model_id: wanted.model_id,
            model: `${model.provider}/${model.name}`,
            action_tool_map_id: yield* starts.mapOf(principal, session.suite_id, wanted.action_tool_map_id),
            model_configuration: wanted.model_configuration,
            from_seq: wanted.range?.from_seq ?? null,
            to_seq: wanted.range?.to_seq ?? null,
            job_id: null
          },
          audit.record
        )
        return example ?? (yield* Effect.dieMessage("an example of no job is never there already"))
      }).pipe(sql.withTransaction, orDefect)
      yield* starts.began
      return made
    }, write)

    const list = Effect.fn("Examples.list")(function* (
      query: ExampleFilter & { readonly limit: number; readonly cursor?: string | undefined }
    ) {
      const keyset = yield* Keyset.position(query.cursor)
      return Keyset.page(yield* repo.list(yield* CurrentPrincipal, query, keyset, query.limit), query.limit)
    }, read)

    const get = Effect.fn("Examples.get")(existing, read)

    const remove = Effect.fn("Examples.delete")(function* (id: ExampleId) {
      const principal = yield* CurrentPrincipal
      yield* Effect.gen(function* () {
        if (!(yield* repo.remove(principal, id))) return yield* exampleNotFound(id)
        yield* audit.record({ action: "example.delete", resource: `example/${id}` })
      }).pipe(sql.withTransaction, orDefect)
      // The table's trigger noted the objects under the example's id: whatever happens now, the collector finishes it.
      yield* removals.carryOut({ id, prefix: examplePrefix(principal.org_id, id) })
    }, write)

    const retry = Effect.fn("Examples.retry")(function* (id: ExampleId) {
      const principal = yield* CurrentPrincipal
      const again = yield* Effect.gen(function* () {
        const before = yield* locked(id)
        if (before.status !== "FAILED" && before.status !== "CANCELLED") {
          const needed = "only one that FAILED or was CANCELLED can be retried"
          return yield* new ExampleState({ id, example_status: before.status, needed })
        }
        // What was missing when it was begun, or was deleted since, is looked for again before anything is paid for.
        const action_tool_map_id =
          before.action_tool_map_id ?? (yield* starts.mapOf(principal, before.suite_id, undefined))
        const attempts = before.attempts + 1
        // A place of its own: the attempt before may still be tidying up its own.
        const storage_path = `${examplePrefix(principal.org_id, id)}attempt-${attempts}/`
        const reset = { stage: null, error_code: null, error_message: null, started_at: null, completed_at: null }
        const set = { status: "PENDING", attempts, storage_path, action_tool_map_id, ...reset }
        const after = yield* repo.change(principal, id, set)
        if (after === undefined) return yield* exampleNotFound(id)
        yield* audit.record({ action: "example.retry", resource: `example/${id}`, before, after })
        yield* starts.start(id, attempts)
        return after
      }).pipe(sql.withTransaction, orDefect)
      yield* starts.began
      return again
    }, write)

    /** The run notices between its stages, and leaves nothing behind. */
    const cancel = Effect.fn("Examples.cancel")(function* (id: ExampleId) {
      const principal = yield* CurrentPrincipal
      return yield* Effect.gen(function* () {
        const before = yield* locked(id)
        if (before.status !== "PENDING" && before.status !== "RUNNING") {
          const needed = "only one that is PENDING or RUNNING can be cancelled"
          return yield* new ExampleState({ id, example_status: before.status, needed })
        }
        const after = yield* repo.change(principal, id, { status: "CANCELLED", completed_at: new Date() })
        if (after === undefined) return yield* exampleNotFound(id)
        yield* audit.record({ action: "example.cancel", resource: `example/${id}`, before, after })
        return after
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    const completed = (id: ExampleId) =>
      Effect.filterOrElse(
        existing(id),
        ({ status }) => status === "COMPLETED",
        ({ status }) =>
          new ExampleState({ id, example_status: status, needed: "there are no messages until it is COMPLETED" })
      )

    /** Writes a reviewer's messages beside those that were made; the row then points at them. */
    const corrected = (id: ExampleId, storage_path: string, messages: NonNullable<ReviewExample["messages"]>) =>
      Effect.gen(function* () {
        const { org_id } = yield* CurrentPrincipal
        const tools = yield* Effect.catchTag(objects.tools(storage_path), "ObjectNotFound", Effect.die)
        const wrong = faults(messages, new Set(tools.map((tool) => tool.function.name)))
        if (wrong.length > 0) {
          const errors = wrong.map(
            ({ line, message }) => new Issue({ path: `messages.${Math.max(0, line - 1)}`, message })
          )
          return yield* new ValidationError({
            detail: `the messages are no valid conversation: ${wrong[0]?.message}`,
            errors
          })
        }
        const prefix = `${examplePrefix(org_id, id)}review-${newId.next()}/`
        const content_hash = yield* objects.write(prefix, messages, tools)
        return { storage_path: prefix, content_hash, message_count: messages.length }
      })

    const review = Effect.fn("Examples.review")(function* (id: ExampleId, { decision, messages }: ReviewExample) {
      const principal = yield* CurrentPrincipal
      if (decision === "reject" && messages !== undefined) {
        return yield* invalid("messages", "can be given when accepting only")
      }
      const found = yield* completed(id)
      const written = messages === undefined ? {} : yield* corrected(id, found.storage_path, messages)
      return yield* Effect.gen(function* () {
        const before = yield* locked(id)
        const set = { review: decision === "accept" ? "accepted" : "rejected", needs_review: false, ...written }
        const after = yield* repo.change(principal, id, set)
        if (after === undefined) return yield* exampleNotFound(id)
        if (messages !== undefined) yield* search.describe({ id }, showing(messages, yield* sources.mappings(id)))
        yield* audit.record({ action: "example.review", resource: `example/${id}`, before, after })
        return after
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    /** The bytes of `messages.jsonl`. */
    const messages = Effect.fn("Examples.messages")(function* (id: ExampleId) {
      const { storage_path } = yield* completed(id)
      return yield* objects.messagesBytes(storage_path)
    }, read)

    return { create, list, get, delete: remove, retry, cancel, review, messages } as const
  })
}) {}
