import { HttpApiBuilder, HttpServerResponse } from "@effect/platform"
import { DateTime, Effect } from "effect"
import { Api } from "../api/Api.ts"
import { AuditPage } from "../api/AuditApi.ts"
import { AuditLog } from "../identity/AuditLog.ts"
import { answered } from "./Answered.ts"

export const layer = HttpApiBuilder.group(Api, "audit", (handlers) =>
  Effect.map(AuditLog, (log) =>
    handlers
      .handleRaw("list", ({ urlParams: { format, limit, cursor, from, to, ...exact } }) => {
        const filter = {
          ...exact,
          ...(from === undefined ? {} : { from: DateTime.toDate(from) }),
          ...(to === undefined ? {} : { to: DateTime.toDate(to) })
        }
        return format === "jsonl"
          ? Effect.map(log.lines(filter), (bytes) =>
              HttpServerResponse.stream(bytes, { contentType: "application/x-ndjson" })
            )
          : Effect.map(log.list(filter, { limit, ...(cursor === undefined ? {} : { cursor }) }), answered(AuditPage))
      })
      .handle("checkpoint", ({ urlParams }) => log.checkpoint(urlParams))
      .handle("proof", ({ path }) => log.proof(path.id))
  )
)
