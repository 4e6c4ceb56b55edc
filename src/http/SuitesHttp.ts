import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { Suites } from "../capability/Suites.ts"

export const layer = HttpApiBuilder.group(Api, "suites", (handlers) =>
  Effect.map(Suites, (suites) =>
    handlers
      .handle("create", ({ payload }) => suites.create(payload))
      .handle("list", ({ urlParams }) => suites.list(urlParams))
      .handle("get", ({ path }) => suites.get(path.id))
      .handle("update", ({ path, payload }) => suites.update(path.id, payload))
      .handle("delete", ({ path }) => suites.delete(path.id))
  )
)
