import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { Quotas } from "../identity/Quotas.ts"

export const layer = HttpApiBuilder.group(Api, "quotas", (handlers) =>
  Effect.map(Quotas, (quotas) => handlers.handle("list", () => quotas.list()))
)
