import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { Agents } from "../identity/Agents.ts"

export const layer = HttpApiBuilder.group(Api, "agents", (handlers) =>
  Effect.map(Agents, (agents) =>
    handlers
      .handle("create", ({ payload }) => agents.create(payload))
      .handle("list", ({ urlParams }) => agents.list(urlParams))
      .handle("get", ({ path }) => agents.get(path.id))
      .handle("update", ({ path, payload }) => agents.update(path.id, payload))
      .handle("delete", ({ path }) => agents.delete(path.id))
      .handle("rotate_secret", ({ path, payload }) => agents.rotateSecret(path.id, payload))
  )
)
