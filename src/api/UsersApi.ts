import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { NotFound } from "../domain/Errors.ts"
import { UserId } from "../domain/Ids.ts"
import { CreateUser, LastOwner, LoginTaken, Me, Member, UpdateUser } from "../domain/identity/User.ts"
import { Page, pageFields, SearchText } from "../domain/Page.ts"
import { Role } from "../domain/Principal.ts"
import { Authentication, RequiredScope } from "./Security.ts"

const path = Schema.Struct({ id: UserId })

/** People. */
export class UsersApi extends HttpApiGroup.make("users")
  .annotate(OpenApi.Description, "People, and what they are in the organization")
  .add(
    HttpApiEndpoint.get("me", "/v1/users/me")
      .annotate(OpenApi.Summary, "Who the credential belongs to, and what it allows")
      .addSuccess(Me)
      .addError(NotFound)
      .annotate(RequiredScope, "users:read")
  )
  .add(
    HttpApiEndpoint.post("create", "/v1/users")
      .annotate(OpenApi.Summary, "Add a person to the organization, without asking them")
      .setPayload(CreateUser)
      .addSuccess(Member, { status: 201 })
      .addError(LoginTaken)
      .annotate(RequiredScope, "users:write")
  )
  .add(
    HttpApiEndpoint.get("list", "/v1/users")
      .annotate(OpenApi.Summary, "List the members of the organization, who joined last first")
      .setUrlParams(
        Schema.Struct({
          ...pageFields,
          role: Schema.optionalWith(Role, { exact: true }).annotations({ description: "Only who is this" }),
          q: SearchText
        })
      )
      .addSuccess(Page("MemberPage", Member))
      .annotate(RequiredScope, "users:read")
  )
  .add(
    HttpApiEndpoint.get("get", "/v1/users/:id")
      .annotate(OpenApi.Summary, "Read a member of the organization")
      .setPath(path)
      .addSuccess(Member)
      .addError(NotFound)
      .annotate(RequiredScope, "users:read")
  )
  .add(
    HttpApiEndpoint.patch("update", "/v1/users/:id")
      .annotate(OpenApi.Summary, "Change a member's role, or a person who is in no other organization")
      .setPath(path)
      .setPayload(UpdateUser)
      .addSuccess(Member)
      .addError(NotFound)
      .addError(LastOwner)
      .annotate(RequiredScope, "users:write")
  )
  .add(
    HttpApiEndpoint.del("delete", "/v1/users/:id")
      .annotate(OpenApi.Summary, "Remove a member from the organization; their keys of it end at once")
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .addError(LastOwner)
      .annotate(RequiredScope, "users:write")
  )
  .middleware(Authentication) {}
