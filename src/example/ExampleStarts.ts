import { Sharding } from "@effect/cluster"
import { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import { Effect, Either } from "effect"
import { mapNotFound } from "../domain/capability/ActionToolMap.ts"
import { Issue, ValidationError } from "../domain/Errors.ts"
import { ExampleWorkflow } from "../domain/example/ExampleWorkflow.ts"
import { type ActionToolMapId, ExampleId, type SuiteId } from "../domain/Ids.ts"
import type { Tenant } from "../domain/Principal.ts"
import type { Session } from "../domain/session/Session.ts"
import type { AuditEntry } from "../identity/Audit.ts"
import { Id } from "../platform/Id.ts"
import { Llm } from "../platform/Llm.ts"
import type { LlmModel } from "../platform/llm/LlmConnection.ts"
import { settingsOf } from "../platform/llm/LlmSettings.ts"
import { examplePrefix } from "./ExampleObjects.ts"
import { isBrowser } from "./ExampleRuns.ts"
import { ExamplesRepo, type NewExample } from "./ExamplesRepo.ts"
import { lexical } from "./pipeline/Lexical.ts"
import { SourcesRepo } from "./SourcesRepo.ts"

export const invalid = (path: string, message: string) =>
  new ValidationError({ detail: `${path}: ${message}`, errors: [new Issue({ path, message })] })

/** What can be decided about an example before it runs, and its begin. */
export class ExampleStarts extends Effect.Service<ExampleStarts>()("example/ExampleStarts", {
  dependencies: [ExamplesRepo.Default, SourcesRepo.Default],
  effect: Effect.gen(function* () {
    const newId = yield* Id
    const repo = yield* ExamplesRepo
    const sources = yield* SourcesRepo
    const llm = yield* Llm
    const engine = yield* WorkflowEngine
    const sharding = yield* Sharding.Sharding

    /** Called in the transaction of the row: the run is there when the row is. */
    const start = (example_id: ExampleId, attempt: number) =>
      ExampleWorkflow.execute({ example_id, attempt }, { discard: true }).pipe(
        Effect.provideService(WorkflowEngine, engine)
      )

    /** The map that was named, else the suite's only one. */
    const mapOf = (tenant: Tenant, suite_id: SuiteId, wanted: ActionToolMapId | undefined) =>
      Effect.gen(function* () {
        if (wanted !== undefined) {
          const map = (yield* sources.map(tenant, wanted)) ?? (yield* mapNotFound(wanted))
          if (map.suite_id === suite_id) return map.id
          return yield* invalid("action_tool_map_id", "the map belongs to another suite than the session")
        }
        const maps = yield* sources.maps(tenant, suite_id)
        const [only] = maps
        if (only !== undefined && maps.length === 1) return only.id
        const names = maps.map(({ name }) => JSON.stringify(name)).join(", ")
        return yield* invalid(
          "action_tool_map_id",
          only === undefined
            ? "the session's suite has no action–tool map: make one first"
            : `the session's suite has several action–tool maps (${names}): name one`
        )
      })

    /** Whether the model can do what a session of this format needs, with this configuration. */
    const usable = (
      session: Pick<Session, "format">,
      model: LlmModel,
      configuration: Readonly<Record<string, unknown>>
    ) =>
      Effect.gen(function* () {
        const name = `${model.provider}/${model.name}`
        if (!isBrowser(session) || name === lexical.name) return
        if (model.provider === "BUILTIN") {
          return yield* invalid("model_id", `${name} recognises no actions: use ${lexical.name} or a language model`)
        }
        const missing = llm.missing(model)
        if (missing !== undefined) return yield* invalid("model_id", missing)
        yield* Either.mapLeft(settingsOf(configuration), ({ path, message }) =>
          invalid(`model_configuration.${path}`, message)
        )
      })

    /**
     * Begins an example, in the caller's transaction. A part that the job has made already is left as
     * it is: then the answer is undefined.
     * @param record writes the audit entry, on behalf of the caller or of the service itself
     */
    const begin = <R>(
      wanted: Omit<NewExample, "id" | "storage_path">,
      record: (entry: AuditEntry) => Effect.Effect<void, never, R>
    ) =>
      Effect.gen(function* () {
        const id = ExampleId.make(newId.next())
        const example = yield* repo.insert({ ...wanted, id, storage_path: examplePrefix(wanted.org_id, id) })
        if (example === undefined) return undefined
        yield* record({ action: "example.create", resource: `example/${id}`, after: example })
        if (example.status === "PENDING") yield* start(id, example.attempts)
        return example
      })

    /** After the transaction: what was begun in it is taken up at once, not at the next look. */
    const began = sharding.pollStorage

    return { start, mapOf, usable, begin, began } as const
  })
}) {}
