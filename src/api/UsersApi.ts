import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { NotFound } from "../domain/Errors.ts"
import { Me } from "../domain/identity/User.ts"
import { Authentication, RequiredScope } from "./Security.ts"

/** People. */
export class UsersApi extends HttpApiGroup.make("users")
  .annotate(OpenApi.Description, "People")
  .add(
    HttpApiEndpoint.get("me", "/v1/users/me")
      .annotate(OpenApi.Summary, "Who the credential belongs to, and what it allows")
      .addSuccess(Me)
      .addError(NotFound)
      .annotate(RequiredScope, "users:read")
  )
  .middleware(Authentication) {}
