import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Page } from "../domain/Page.ts"
import { LogBatch, LogEntry, LogQuery, LogReport, maxLogEntries } from "../domain/telemetry/LogEntry.ts"
import { Authentication, RequiredScope } from "./Security.ts"

/** What agents and other systems say of what they do. */
export class LogsApi extends HttpApiGroup.make("logs")
  .annotate(OpenApi.Description, "What agents and other systems say of what they do")
  .add(
    HttpApiEndpoint.post("report", "/v1/logs/batch")
      .annotate(OpenApi.Summary, "Report log entries")
      .annotate(
        OpenApi.Description,
        `At most ${maxLogEntries} entries and 16 MiB. Each is looked at by itself: what is wrong with one is told with its place, and the others are stored.`
      )
      .setPayload(LogBatch)
      .addSuccess(LogReport)
      .annotate(RequiredScope, "logs:write")
  )
  .add(
    HttpApiEndpoint.get("list", "/v1/logs")
      .annotate(OpenApi.Summary, "List log entries, newest first")
      .setUrlParams(LogQuery)
      .addSuccess(Page("LogPage", LogEntry))
      .annotate(RequiredScope, "logs:read")
  )
  .middleware(Authentication) {}
