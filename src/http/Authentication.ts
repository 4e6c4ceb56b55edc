import { HttpServerRequest } from "@effect/platform"
import { Effect, Layer } from "effect"
import { Authentication } from "../api/Security.ts"
import { RequestInfo } from "../domain/RequestInfo.ts"
import { Authenticator } from "../identity/Authenticator.ts"

/** The contract's authentication, done by the one plain function that every protocol uses. */
export const layer = Layer.effect(
  Authentication,
  Effect.map(Authenticator, ({ authenticate }) =>
    Authentication.of(
      Effect.gen(function* () {
        const { headers } = yield* HttpServerRequest.HttpServerRequest
        const principal = yield* authenticate(headers)
        const info = yield* RequestInfo
        // For the rim, which knows of a refusal and not of whom.
        info.caller = principal
        return principal
      })
    )
  )
)
