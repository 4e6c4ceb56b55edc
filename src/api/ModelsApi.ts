import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { NotFound } from "../domain/Errors.ts"
import { CreateModel, Model, ModelNameTaken, ModelShipped, Provider, UpdateModel } from "../domain/example/Model.ts"
import { ModelId } from "../domain/Ids.ts"
import { Page, pageFields, SearchText } from "../domain/Page.ts"
import { Authentication, RequiredScope } from "./Security.ts"

const path = Schema.Struct({ id: ModelId })

/** Models: a provider and a name, with prices. */
export class ModelsApi extends HttpApiGroup.make("models")
  .annotate(OpenApi.Description, "What examples are made for: a provider and a model name, with what it costs")
  .add(
    HttpApiEndpoint.post("create", "/v1/models")
      .annotate(OpenApi.Summary, "Add a model")
      .setPayload(CreateModel)
      .addSuccess(Model, { status: 201 })
      .addError(ModelNameTaken)
      .annotate(RequiredScope, "models:write")
  )
  .add(
    HttpApiEndpoint.get("list", "/v1/models")
      .annotate(OpenApi.Summary, "List models, newest first; those that ship with the product too")
      .setUrlParams(
        Schema.Struct({
          ...pageFields,
          provider: Schema.optionalWith(Provider, { exact: true }).annotations({
            description: "Only of this provider"
          }),
          q: SearchText
        })
      )
      .addSuccess(Page("ModelPage", Model))
      .annotate(RequiredScope, "models:read")
  )
  .add(
    HttpApiEndpoint.get("get", "/v1/models/:id")
      .annotate(OpenApi.Summary, "Read a model")
      .setPath(path)
      .addSuccess(Model)
      .addError(NotFound)
      .annotate(RequiredScope, "models:read")
  )
  .add(
    HttpApiEndpoint.patch("update", "/v1/models/:id")
      .annotate(OpenApi.Summary, "Change a model of your own")
      .setPath(path)
      .setPayload(UpdateModel)
      .addSuccess(Model)
      .addError(NotFound)
      .addError(ModelNameTaken)
      .addError(ModelShipped)
      .annotate(RequiredScope, "models:write")
  )
  .add(
    HttpApiEndpoint.del("delete", "/v1/models/:id")
      .annotate(OpenApi.Summary, "Delete a model of your own")
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .addError(ModelShipped)
      .annotate(RequiredScope, "models:write")
  )
  .middleware(Authentication) {}
