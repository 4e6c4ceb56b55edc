import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { ActionToolMaps } from "../capability/ActionToolMaps.ts"
import { AppliedActionToolMap } from "../domain/capability/Surface.ts"
import { applied } from "./Applied.ts"

export const layer = HttpApiBuilder.group(Api, "action_tool_maps", (handlers) =>
  Effect.map(ActionToolMaps, (maps) =>
    handlers
      .handle("create", ({ payload }) => maps.create(payload))
      .handle("put", ({ payload }) => applied(AppliedActionToolMap)(maps.put(payload)))
      .handle("list", ({ urlParams }) => maps.list(urlParams))
      .handle("get", ({ path }) => maps.get(path.id))
      .handle("update", ({ path, payload }) => maps.update(path.id, payload))
      .handle("delete", ({ path }) => maps.delete(path.id))
  )
)
