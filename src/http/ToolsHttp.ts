import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { Tools } from "../capability/Tools.ts"

export const layer = HttpApiBuilder.group(Api, "tools", (handlers) =>
  Effect.map(Tools, (tools) =>
    handlers
      .handle("create", ({ path, payload }) => tools.create(path.server_id, payload))
      .handle("list", ({ path, urlParams }) => tools.list(path.server_id, urlParams))
      .handle("get", ({ path }) => tools.get(path.server_id, path.id))
      .handle("update", ({ path, payload }) => tools.update(path.server_id, path.id, payload))
      .handle("delete", ({ path }) => tools.delete(path.server_id, path.id))
  )
)
