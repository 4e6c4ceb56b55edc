import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { Organizations } from "../identity/Organizations.ts"

export const layer = HttpApiBuilder.group(Api, "organizations", (handlers) =>
  Effect.map(Organizations, (organizations) =>
    handlers
      .handle("create", ({ payload }) => organizations.create(payload))
      .handle("list", ({ urlParams }) => organizations.list(urlParams))
      .handle("get", ({ path }) => organizations.get(path.id))
      .handle("update", ({ path, payload }) => organizations.update(path.id, payload))
      .handle("delete", ({ path }) => organizations.delete(path.id))
  )
)
