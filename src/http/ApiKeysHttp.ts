import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { ApiKeys } from "../identity/ApiKeys.ts"

export const layer = HttpApiBuilder.group(Api, "api_keys", (handlers) =>
  Effect.map(ApiKeys, (keys) =>
    handlers
      .handle("create", ({ payload }) => keys.create(payload))
      .handle("list", ({ urlParams }) => keys.list(urlParams))
      .handle("get", ({ path }) => keys.get(path.id))
      .handle("update", ({ path, payload }) => keys.update(path.id, payload))
      .handle("revoke", ({ path }) => keys.revoke(path.id))
  )
)
