import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { Users } from "../identity/Users.ts"

export const layer = HttpApiBuilder.group(Api, "users", (handlers) =>
  Effect.map(Users, (users) =>
    handlers
      .handle("me", () => users.me())
      .handle("create", ({ payload }) => users.create(payload))
      .handle("list", ({ urlParams }) => users.list(urlParams))
      .handle("get", ({ path }) => users.get(path.id))
      .handle("update", ({ path, payload }) => users.update(path.id, payload))
      .handle("delete", ({ path }) => users.delete(path.id))
  )
)
