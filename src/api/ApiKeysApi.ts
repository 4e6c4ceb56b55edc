import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "@effect/platform"
import { Schema } from "effect"
import { NotFound } from "../domain/Errors.ts"
import { ApiKeyId } from "../domain/Ids.ts"
import { ApiKey, CreateApiKey, CreatedApiKey, UpdateApiKey } from "../domain/identity/ApiKey.ts"
import { Page, pageFields } from "../domain/Page.ts"
import { Authentication, RequiredScope } from "./Security.ts"

const path = Schema.Struct({ id: ApiKeyId })

/** API keys: one's own; owners and admins see all of the organization. */
export class ApiKeysApi extends HttpApiGroup.make("api_keys")
  .add(
    HttpApiEndpoint.post("create", "/v1/api-keys")
      .setPayload(CreateApiKey)
      .addSuccess(CreatedApiKey, { status: 201 })
      .annotate(RequiredScope, "keys:manage")
  )
  .add(
    HttpApiEndpoint.get("list", "/v1/api-keys")
      .setUrlParams(Schema.Struct(pageFields))
      .addSuccess(Page("ApiKeyPage", ApiKey))
      .annotate(RequiredScope, "keys:manage")
  )
  .add(
    HttpApiEndpoint.get("get", "/v1/api-keys/:id")
      .setPath(path)
      .addSuccess(ApiKey)
      .addError(NotFound)
      .annotate(RequiredScope, "keys:manage")
  )
  .add(
    HttpApiEndpoint.patch("update", "/v1/api-keys/:id")
      .setPath(path)
      .setPayload(UpdateApiKey)
      .addSuccess(ApiKey)
      .addError(NotFound)
      .annotate(RequiredScope, "keys:manage")
  )
  .add(
    HttpApiEndpoint.del("revoke", "/v1/api-keys/:id")
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .annotate(RequiredScope, "keys:manage")
  )
  .middleware(Authentication) {}
