import { HttpApiEndpoint, HttpApiGroup } from "@effect/platform"
import { NotFound } from "../domain/Errors.ts"
import { Me } from "../domain/identity/User.ts"
import { Authentication, RequiredScope } from "./Security.ts"

/** People. */
export class UsersApi extends HttpApiGroup.make("users")
  .add(
    HttpApiEndpoint.get("me", "/v1/users/me").addSuccess(Me).addError(NotFound).annotate(RequiredScope, "users:read")
  )
  .middleware(Authentication) {}
