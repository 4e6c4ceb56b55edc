import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { NotFound } from "../domain/Errors.ts"
import { ApiKeyId } from "../domain/Ids.ts"
import { ApiKey, CreateApiKey, CreatedApiKey, UpdateApiKey } from "../domain/identity/ApiKey.ts"
import { Page, pageFields } from "../domain/Page.ts"
import { Authentication, RateGroup, RequiredScope } from "./Security.ts"

const path = Schema.Struct({ id: ApiKeyId })

/** API keys: one's own; owners and admins see all of the organization. */
export class ApiKeysApi extends HttpApiGroup.make("api_keys")
  .annotate(OpenApi.Description, "Secrets of users: one's own; owners and admins see all of the organization")
  .add(
    HttpApiEndpoint.post("create", "/v1/api-keys")
      .annotate(OpenApi.Summary, "Make an API key; it is shown this once")
      .setPayload(CreateApiKey)
      .addSuccess(CreatedApiKey, { status: 201 })
      .addError(NotFound)
      .annotate(RequiredScope, "keys:manage")
      .annotate(RateGroup, "keys")
  )
  .add(
    HttpApiEndpoint.get("list", "/v1/api-keys")
      .annotate(OpenApi.Summary, "List API keys, newest first")
      .setUrlParams(Schema.Struct(pageFields))
      .addSuccess(Page("ApiKeyPage", ApiKey))
      .annotate(RequiredScope, "keys:manage")
  )
  .add(
    HttpApiEndpoint.get("get", "/v1/api-keys/:id")
      .annotate(OpenApi.Summary, "Read an API key, without its secret")
      .setPath(path)
      .addSuccess(ApiKey)
      .addError(NotFound)
      .annotate(RequiredScope, "keys:manage")
  )
  .add(
    HttpApiEndpoint.patch("update", "/v1/api-keys/:id")
      .annotate(OpenApi.Summary, "Rename an API key, or change when it expires")
      .setPath(path)
      .setPayload(UpdateApiKey)
      .addSuccess(ApiKey)
      .addError(NotFound)
      .annotate(RequiredScope, "keys:manage")
      .annotate(RateGroup, "keys")
  )
  .add(
    HttpApiEndpoint.del("revoke", "/v1/api-keys/:id")
      .annotate(OpenApi.Summary, "Revoke an API key, at once")
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .annotate(RequiredScope, "keys:manage")
      .annotate(RateGroup, "keys")
  )
  .middleware(Authentication) {}
