import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { NotFound } from "../domain/Errors.ts"
import { InvitationId } from "../domain/Ids.ts"
import {
  AcceptInvitation,
  AlreadyMember,
  CreateInvitation,
  Invitation,
  InvitationGone,
  InvitationWithToken
} from "../domain/identity/Invitation.ts"
import { MyOrganization } from "../domain/identity/User.ts"
import { Page, pageFields } from "../domain/Page.ts"
import { Authentication, RequiredScope } from "./Security.ts"

const path = Schema.Struct({ id: InvitationId })

/** Invitations to the organization. */
export class InvitationsApi extends HttpApiGroup.make("invitations")
  .annotate(OpenApi.Description, "Who is asked to join the organization, and as what")
  .add(
    HttpApiEndpoint.post("create", "/v1/invitations")
      .annotate(
        OpenApi.Summary,
        "Invite somebody; the token is shown this once, and ends earlier invitations to the address"
      )
      .setPayload(CreateInvitation)
      .addSuccess(InvitationWithToken, { status: 201 })
      .annotate(RequiredScope, "users:write")
  )
  .add(
    HttpApiEndpoint.get("list", "/v1/invitations")
      .annotate(OpenApi.Summary, "List invitations, newest first")
      .setUrlParams(Schema.Struct(pageFields))
      .addSuccess(Page("InvitationPage", Invitation))
      .annotate(RequiredScope, "users:read")
  )
  .add(
    HttpApiEndpoint.get("get", "/v1/invitations/:id")
      .annotate(OpenApi.Summary, "Read an invitation, without its token")
      .setPath(path)
      .addSuccess(Invitation)
      .addError(NotFound)
      .annotate(RequiredScope, "users:read")
  )
  .add(
    HttpApiEndpoint.del("revoke", "/v1/invitations/:id")
      .annotate(OpenApi.Summary, "Revoke an invitation that nobody accepted")
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .addError(InvitationGone)
      .annotate(RequiredScope, "users:write")
  )
  .add(
    HttpApiEndpoint.post("accept", "/v1/invitations/accept")
      .annotate(OpenApi.Summary, "Join the organization that an invitation is of, as the user who asks")
      .setPayload(AcceptInvitation)
      .addSuccess(MyOrganization)
      .addError(NotFound)
      .addError(InvitationGone)
      .addError(AlreadyMember)
      .annotate(RequiredScope, "users:read")
  )
  .middleware(Authentication) {}
