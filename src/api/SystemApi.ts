import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "@effect/platform"
import { Schema } from "effect"
import { NotFound, Unavailable } from "../domain/Errors.ts"
import { Alive, DetailedHealth, Health, ServiceInfo, SystemInfo } from "../domain/System.ts"
import { Authentication, RequiredScope } from "./Security.ts"

const html = HttpApiSchema.Text({ contentType: "text/html" })

/** The service itself: open to everybody, but for the detailed health. */
export class SystemApi extends HttpApiGroup.make("system")
  .add(HttpApiEndpoint.get("root", "/").addSuccess(ServiceInfo))
  .add(HttpApiEndpoint.get("health", "/health").addSuccess(Health))
  .add(
    HttpApiEndpoint.get("health_detailed", "/health/detailed")
      .addSuccess(DetailedHealth)
      .annotate(RequiredScope, "system:read")
      .middleware(Authentication)
  )
  .add(HttpApiEndpoint.get("ready", "/ready").addSuccess(Alive).addError(Unavailable))
  .add(HttpApiEndpoint.get("live", "/live").addSuccess(Alive))
  .add(
    HttpApiEndpoint.get("metrics", "/metrics")
      .addSuccess(HttpApiSchema.Text({ contentType: "text/plain; version=0.0.4; charset=utf-8" }))
      .addError(NotFound)
  )
  .add(HttpApiEndpoint.get("info", "/v1/info").addSuccess(SystemInfo))
  .add(HttpApiEndpoint.get("redoc", "/redoc").addSuccess(html))
  .add(
    HttpApiEndpoint.get("openapi", "/openapi.json").addSuccess(
      Schema.Record({ key: Schema.String, value: Schema.Unknown }).annotations({ identifier: "OpenApiDocument" })
    )
  ) {}
