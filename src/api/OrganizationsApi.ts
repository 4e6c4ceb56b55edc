import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { NotFound } from "../domain/Errors.ts"
import { OrganizationId } from "../domain/Ids.ts"
import {
  CreateOrganization,
  LastOrganization,
  Organization,
  OrganizationInUse,
  SlugTaken,
  TooManyOrganizations,
  UpdateOrganization
} from "../domain/identity/Organization.ts"
import { MyOrganization } from "../domain/identity/User.ts"
import { Page, pageFields } from "../domain/Page.ts"
import { Authentication, RequiredScope } from "./Security.ts"

const path = Schema.Struct({ id: OrganizationId })

/** Organizations: a credential reads and changes its own. */
export class OrganizationsApi extends HttpApiGroup.make("organizations")
  .annotate(OpenApi.Description, "Those who work together; a credential reads and changes its own organization alone")
  .add(
    HttpApiEndpoint.post("create", "/v1/organizations")
      .annotate(OpenApi.Summary, "Make an organization whose owner you are")
      .setPayload(CreateOrganization)
      .addSuccess(Organization, { status: 201 })
      .addError(SlugTaken)
      .addError(TooManyOrganizations)
      .annotate(RequiredScope, "organizations:write")
  )
  .add(
    HttpApiEndpoint.get("list", "/v1/organizations")
      .annotate(OpenApi.Summary, "List the organizations that you are a member of, the one joined last first")
      .setUrlParams(Schema.Struct(pageFields))
      .addSuccess(Page("MyOrganizationPage", MyOrganization))
      .annotate(RequiredScope, "organizations:read")
  )
  .add(
    HttpApiEndpoint.get("get", "/v1/organizations/:id")
      .annotate(OpenApi.Summary, "Read the organization that the credential acts in")
      .setPath(path)
      .addSuccess(Organization)
      .addError(NotFound)
      .annotate(RequiredScope, "organizations:read")
  )
  .add(
    HttpApiEndpoint.patch("update", "/v1/organizations/:id")
      .annotate(OpenApi.Summary, "Change the organization that the credential acts in")
      .setPath(path)
      .setPayload(UpdateOrganization)
      .addSuccess(Organization)
      .addError(NotFound)
      .addError(SlugTaken)
      .annotate(RequiredScope, "organizations:write")
  )
  .add(
    HttpApiEndpoint.del("delete", "/v1/organizations/:id")
      .annotate(OpenApi.Summary, "Delete the organization, as an owner, when it holds no recordings and no servers")
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .addError(OrganizationInUse)
      .addError(LastOrganization)
      .annotate(RequiredScope, "organizations:write")
  )
  .middleware(Authentication) {}
