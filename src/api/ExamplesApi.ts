import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { NotFound } from "../domain/Errors.ts"
import {
  CreateExample,
  Example,
  ExampleState,
  ExampleStatus,
  ExportFormat,
  ReviewExample
} from "../domain/example/Example.ts"
import { ActionToolMapId, ExampleId, ModelId, SessionId, SuiteId } from "../domain/Ids.ts"
import { Page, pageFields } from "../domain/Page.ts"
import { SessionNotReady } from "../domain/session/Session.ts"
import { Authentication, RequiredScope } from "./Security.ts"

const path = Schema.Struct({ id: ExampleId })

const optional = <A, I, R>(schema: Schema.Schema<A, I, R>) => Schema.optionalWith(schema, { exact: true })

const Flag = Schema.BooleanFromString.annotations({ jsonSchema: { type: "boolean" } })

const filters = {
  session_id: optional(SessionId).annotations({ description: "Only of this session" }),
  model_id: optional(ModelId).annotations({ description: "Only of this model" }),
  suite_id: optional(SuiteId).annotations({ description: "Only of this suite" }),
  action_tool_map_id: optional(ActionToolMapId).annotations({ description: "Only through this map" }),
  status: optional(ExampleStatus).annotations({ description: "Only in this state" }),
  needs_review: optional(Flag).annotations({ description: "Only those that wait for a review, or only the others" })
}

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
    HttpApiEndpoint.get("list", "/v1/examples")
      .annotate(OpenApi.Summary, "List examples, newest first")
      .setUrlParams(Schema.Struct({ ...pageFields, ...filters }))
      .addSuccess(Page("ExamplePage", Example))
      .annotate(RequiredScope, "examples:read")
  )
  .add(
    HttpApiEndpoint.get("export", "/v1/examples/export")
      .annotate(OpenApi.Summary, "Export completed examples as one file")
      .annotate(
        OpenApi.Description,
        "JSON Lines, streamed: a line of OpenAI's fine-tuning file with `tools`, of ShareGPT, or of messages with their provenance. Rejected examples are left out."
      )
      .setUrlParams(
        Schema.Struct({
          format: Schema.optionalWith(ExportFormat, { default: () => "openai" as const }).annotations({
            description: "Of the lines"
          }),
          ...filters
        })
      )
      .addSuccess(JsonLines)
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
