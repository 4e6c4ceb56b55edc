import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { NotFound, Unavailable } from "../domain/Errors.ts"
import { Alive, DetailedHealth, Health, ServiceInfo, SystemInfo } from "../domain/System.ts"
import { Authentication, RequiredScope } from "./Security.ts"

const text = (contentType: string, description: string) =>
  HttpApiSchema.Text({ contentType }).annotations({ description })

/** The service itself: open to everybody, but for the detailed health. */
export class SystemApi extends HttpApiGroup.make("system")
  .annotate(OpenApi.Description, "The service itself")
  .add(HttpApiEndpoint.get("root", "/").annotate(OpenApi.Summary, "What this service is").addSuccess(ServiceInfo))
  .add(
    HttpApiEndpoint.get("health", "/health")
      .annotate(OpenApi.Summary, "Is the service well, its database included")
      .addSuccess(Health)
  )
  .add(
    HttpApiEndpoint.get("health_detailed", "/health/detailed")
      .annotate(OpenApi.Summary, "Each dependency, asked on the spot")
      .addSuccess(DetailedHealth)
      .annotate(RequiredScope, "system:read")
      .middleware(Authentication)
  )
  .add(
    HttpApiEndpoint.get("ready", "/ready")
      .annotate(OpenApi.Summary, "May requests be sent here")
      .addSuccess(Alive)
      .addError(Unavailable)
  )
  .add(HttpApiEndpoint.get("live", "/live").annotate(OpenApi.Summary, "Is the process alive").addSuccess(Alive))
  .add(
    HttpApiEndpoint.get("metrics", "/metrics")
      .annotate(OpenApi.Summary, "Metrics in Prometheus' text format")
      .addSuccess(text("text/plain; version=0.0.4; charset=utf-8", "Prometheus' text format"))
      .addError(NotFound)
  )
  .add(
    HttpApiEndpoint.get("info", "/v1/info")
      .annotate(OpenApi.Summary, "Versions, formats and limits")
      .addSuccess(SystemInfo)
  )
  .add(
    HttpApiEndpoint.get("redoc", "/redoc")
      .annotate(OpenApi.Summary, "This reference as a page")
      .addSuccess(text("text/html", "A page that loads nothing from elsewhere"))
  )
  .add(
    HttpApiEndpoint.get("openapi", "/openapi.json")
      .annotate(OpenApi.Summary, "This document")
      .addSuccess(
        Schema.Record({ key: Schema.String, value: Schema.Unknown }).annotations({ identifier: "OpenApiDocument" })
      )
  ) {}
