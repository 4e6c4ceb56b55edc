import { HttpServerRequest } from "@effect/platform"
import { Effect, Layer } from "effect"
import { Authentication } from "../api/Security.ts"
import { Authenticator } from "../identity/Authenticator.ts"

/** The contract's authentication, done by the one plain function that every protocol uses. */
export const layer = Layer.effect(
  Authentication,
  Effect.map(Authenticator, ({ authenticate }) =>
    Authentication.of(Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) => authenticate(headers)))
  )
)
