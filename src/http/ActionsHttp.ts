import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { Actions } from "../capability/Actions.ts"

export const layer = HttpApiBuilder.group(Api, "actions", (handlers) =>
  Effect.map(Actions, (actions) =>
    handlers
      .handle("create", ({ path, payload }) => actions.create(path.suite_id, payload))
      .handle("list", ({ path, urlParams }) => actions.list(path.suite_id, urlParams))
      .handle("get", ({ path }) => actions.get(path.suite_id, path.id))
      .handle("update", ({ path, payload }) => actions.update(path.suite_id, path.id, payload))
      .handle("delete", ({ path }) => actions.delete(path.suite_id, path.id))
  )
)
