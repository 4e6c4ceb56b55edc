import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { Invitations } from "../identity/Invitations.ts"

export const layer = HttpApiBuilder.group(Api, "invitations", (handlers) =>
  Effect.map(Invitations, (invitations) =>
    handlers
      .handle("create", ({ payload }) => invitations.create(payload))
      .handle("list", ({ urlParams }) => invitations.list(urlParams))
      .handle("get", ({ path }) => invitations.get(path.id))
      .handle("revoke", ({ path }) => invitations.revoke(path.id))
      .handle("accept", ({ payload }) => invitations.accept(payload))
  )
)
