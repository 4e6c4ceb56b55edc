import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { NotFound } from "../domain/Errors.ts"
import { UserId } from "../domain/Ids.ts"
import { PersonalData } from "../domain/identity/PersonalData.ts"
import { LastOwner } from "../domain/identity/User.ts"
import { Authentication, RequiredScope } from "./Security.ts"

const path = Schema.Struct({ id: UserId })

/** What is kept of a person. */
export class PersonalDataApi extends HttpApiGroup.make("personal_data")
  .annotate(OpenApi.Description, "What is kept of a person: one's own, or that of members of no other organization")
  .add(
    HttpApiEndpoint.post("export", "/v1/users/:id/export")
      .annotate(OpenApi.Summary, "Read all that is kept of a person")
      .setPath(path)
      .addSuccess(PersonalData)
      .addError(NotFound)
      .annotate(RequiredScope, "users:write")
  )
  .add(
    HttpApiEndpoint.post("erase", "/v1/users/:id/erase")
      .annotate(OpenApi.Summary, "Erase a person, for good")
      .annotate(
        OpenApi.Description,
        "Name, address and login are removed, memberships end, keys are revoked, and the key is destroyed that what is personal in their audit entries was encrypted with. The audit log stays verifiable. The only owner of an organization cannot be erased."
      )
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .addError(LastOwner)
      .annotate(RequiredScope, "users:write")
  )
  .middleware(Authentication) {}
