import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { Usage } from "../telemetry/Usage.ts"

export const layer = HttpApiBuilder.group(Api, "metrics", (handlers) =>
  Effect.map(Usage, (usage) => handlers.handle("usage", ({ urlParams }) => usage.read(urlParams)))
)
