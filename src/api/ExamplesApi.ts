import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { NotFound } from "../domain/Errors.ts"
import {
  CreateExample,
  Example,
  ExampleState,
  ExampleStatus,
  ExportFormat,
  ExportSplit,
  ReviewExample
} from "../domain/example/Example.ts"
import { CreateExampleBatch, maxBatch } from "../domain/example/ExampleBatch.ts"
import { FindExamples, FoundExample } from "../domain/example/FoundExample.ts"
import { ActionToolMapId, ExampleId, JobId, ModelId, SessionId, SuiteId } from "../domain/Ids.ts"
import { Job } from "../domain/job/Job.ts"
import { Page, pageFields } from "../domain/Page.ts"
import { IdempotencyMismatch, SessionNotReady } from "../domain/session/Session.ts"
import { Authentication, RequiredScope } from "./Security.ts"

const path = Schema.Struct({ id: ExampleId })

const optional = <A, I, R>(schema: Schema.Schema<A, I, R>) => Schema.optionalWith(schema, { exact: true })

const Flag = Schema.BooleanFromString.annotations({ jsonSchema: { type: "boolean" } })

const filters = {
  session_id: optional(SessionId).annotations({ description: "Only of this session" }),
  model_id: optional(ModelId).annotations({ description: "Only of this model" }),
  suite_id: optional(SuiteId).annotations({ description: "Only of this suite" }),
  action_tool_map_id: optional(ActionToolMapId).annotations({ description: "Only through this map" }),
  job_id: optional(JobId).annotations({ description: "Only what this job made" }),
  status: optional(ExampleStatus).annotations({ description: "Only in this state" }),
  needs_review: optional(Flag).annotations({ description: "Only those that wait for a review, or only the others" })
}

export const ExamplePage = Page("ExamplePage", Example)

const JsonLines = Schema.String.pipe(HttpApiSchema.withEncoding({ kind: "Text", contentType: "application/x-ndjson" }))

/** Examples: sessions, made into training conversations. */
export class ExamplesApi extends HttpApiGroup.make("examples")
  .annotate(OpenApi.Description, "Training conversations that sessions are made into")
  .add(
    HttpApiEndpoint.post("create", "/v1/examples")
      .annotate(OpenApi.Summary, "Make an example out of a session")
      .annotate(
        OpenApi.Description,
        "Answers at once, with a PENDING example; read it again until it is COMPLETED or FAILED. Without a map, the only one of the session's suite is used."
      )
      .setPayload(CreateExample)
      .addSuccess(Example, { status: 201 })
      .addError(NotFound)
      .addError(SessionNotReady)
      .annotate(RequiredScope, "examples:write")
  )
  .add(
    HttpApiEndpoint.post("batch", "/v1/examples/batch")
      .annotate(OpenApi.Summary, "Make examples of many sessions")
      .annotate(
        OpenApi.Description,
        `Answers at once, with a job; read \`/v1/jobs/{id}\` for how it goes, and \`/v1/examples?job_id=\` for what it made. At most ${maxBatch} sessions. The same \`Idempotency-Key\` with the same content answers the same job.`
      )
      .setPayload(CreateExampleBatch)
      .addSuccess(Job, { status: 202 })
      .addError(NotFound)
      .addError(IdempotencyMismatch)
      .annotate(RequiredScope, "examples:write")
  )
  .add(
    HttpApiEndpoint.get("list", "/v1/examples")
      .annotate(OpenApi.Summary, "List examples, newest first")
      .setUrlParams(Schema.Struct({ ...pageFields, ...filters }))
      .addSuccess(ExamplePage)
      .annotate(RequiredScope, "examples:read")
  )
  .add(
    HttpApiEndpoint.get("export", "/v1/examples/export")
      .annotate(OpenApi.Summary, "Export completed examples as one file")
      .annotate(
        OpenApi.Description,
        "JSON Lines, streamed: a line of OpenAI's fine-tuning file with `tools`, of ShareGPT, or of messages with their provenance. Rejected examples are left out. With `format=manifest` and else the same parameters, line by line where the other file's examples came from: session, map and its version, model, confidence."
      )
      .setUrlParams(
        Schema.Struct({
          format: Schema.optionalWith(ExportFormat, { default: () => "openai" as const }).annotations({
            description: "Of the lines"
          }),
          dedupe: Schema.optionalWith(Flag, { default: () => false }).annotations({
            description: "Of the examples that say the same, only the first"
          }),
          split: optional(ExportSplit).annotations({
            description:
              "One of two parts, drawn by lot: `train:0.9,seed` is nine tenths, `test:0.9,seed` the rest. Examples that say the same are in the same part."
          }),
          ...filters
        })
      )
      .addSuccess(JsonLines)
      .annotate(RequiredScope, "examples:read")
  )
  .add(
    HttpApiEndpoint.get("search", "/v1/examples/search")
      .annotate(OpenApi.Summary, "Find completed examples that show how something is done, best first")
      .annotate(
        OpenApi.Description,
        "Without words, the newest first. Rejected examples, and others that say the same as an earlier one, are left out."
      )
      .setUrlParams(FindExamples)
      .addSuccess(Page("FoundExamplePage", FoundExample))
      .annotate(RequiredScope, "examples:read")
  )
  .add(
    HttpApiEndpoint.get("get", "/v1/examples/:id")
      .annotate(OpenApi.Summary, "Read an example")
      .setPath(path)
      .addSuccess(Example)
      .addError(NotFound)
      .annotate(RequiredScope, "examples:read")
  )
  .add(
    HttpApiEndpoint.del("delete", "/v1/examples/:id")
      .annotate(OpenApi.Summary, "Delete an example with its messages")
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .annotate(RequiredScope, "examples:write")
  )
  .add(
    HttpApiEndpoint.get("messages", "/v1/examples/:id/messages")
      .annotate(OpenApi.Summary, "Read an example's messages, as JSON Lines")
      .setPath(path)
      .addSuccess(JsonLines)
      .addError(NotFound)
      .addError(ExampleState)
      .annotate(RequiredScope, "examples:read")
  )
  .add(
    HttpApiEndpoint.post("review", "/v1/examples/:id/review")
      .annotate(OpenApi.Summary, "Accept or reject a completed example, or correct its messages")
      .setPath(path)
      .setPayload(ReviewExample)
      .addSuccess(Example)
      .addError(NotFound)
      .addError(ExampleState)
      .annotate(RequiredScope, "examples:write")
  )
  .add(
    HttpApiEndpoint.post("retry", "/v1/examples/:id/retry")
      .annotate(OpenApi.Summary, "Try a failed or cancelled example again")
      .setPath(path)
      .addSuccess(Example)
      .addError(NotFound)
      .addError(ExampleState)
      .annotate(RequiredScope, "examples:write")
  )
  .add(
    HttpApiEndpoint.post("cancel", "/v1/examples/:id/cancel")
      .annotate(OpenApi.Summary, "Cancel an example that is not finished")
      .setPath(path)
      .addSuccess(Example)
      .addError(NotFound)
      .addError(ExampleState)
      .annotate(RequiredScope, "examples:write")
  )
  .middleware(Authentication) {}
