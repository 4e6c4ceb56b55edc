import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { UsageQuery, UsageReport } from "../domain/telemetry/Usage.ts"
import { Authentication, RequiredScope } from "./Security.ts"

/** What an organization uses. */
export class MetricsApi extends HttpApiGroup.make("metrics")
  .annotate(OpenApi.Description, "What an organization recorded and made of it, in figures")
  .add(
    HttpApiEndpoint.get("usage", "/v1/metrics/usage")
      .annotate(OpenApi.Summary, "Read how much was recorded and made, by day, hour, user, model or suite")
      .setUrlParams(UsageQuery)
      .addSuccess(UsageReport)
      .annotate(RequiredScope, "system:read")
  )
  .middleware(Authentication) {}
