import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { Users } from "../identity/Users.ts"

export const layer = HttpApiBuilder.group(Api, "users", (handlers) =>
  Effect.map(Users, (users) => handlers.handle("me", () => users.me()))
)
