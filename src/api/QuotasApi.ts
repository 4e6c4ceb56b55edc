import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { QuotaList } from "../domain/identity/Quota.ts"
import { Authentication, RequiredScope } from "./Security.ts"

/** What an organization may use. Operators set it; nobody raises their own. */
export class QuotasApi extends HttpApiGroup.make("quotas")
  .annotate(OpenApi.Description, "What an organization may use by the day and the month, and what it has used")
  .add(
    HttpApiEndpoint.get("list", "/v1/quotas")
      .annotate(OpenApi.Summary, "Read the quotas of one's organization, and what is used of them")
      .addSuccess(QuotaList)
      .annotate(RequiredScope, "organizations:read")
  )
  .middleware(Authentication) {}
