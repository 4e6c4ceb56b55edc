import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { Logs } from "../telemetry/Logs.ts"

export const layer = HttpApiBuilder.group(Api, "logs", (handlers) =>
  Effect.map(Logs, (logs) =>
    handlers
      .handle("report", ({ payload }) => logs.report(payload))
      .handle("list", ({ urlParams }) => logs.list(urlParams))
  )
)
