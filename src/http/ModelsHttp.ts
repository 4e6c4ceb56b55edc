import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { Models } from "../example/Models.ts"

export const layer = HttpApiBuilder.group(Api, "models", (handlers) =>
  Effect.map(Models, (models) =>
    handlers
      .handle("create", ({ payload }) => models.create(payload))
      .handle("list", ({ urlParams }) => models.list(urlParams))
      .handle("get", ({ path }) => models.get(path.id))
      .handle("update", ({ path, payload }) => models.update(path.id, payload))
      .handle("delete", ({ path }) => models.delete(path.id))
  )
)
