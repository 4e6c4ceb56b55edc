import { HttpApiBuilder, HttpApp, HttpServerResponse } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { JsonWebKeySet, ProtectedResource } from "../domain/identity/Token.ts"
import { Scope } from "../domain/Principal.ts"
import { Admission } from "../identity/Admission.ts"
import { ForeignTokens } from "../identity/ForeignTokens.ts"
import { addressFor } from "../identity/ServiceAddress.ts"
import { SigningKeys } from "../identity/SigningKeys.ts"
import { Tokens } from "../identity/Tokens.ts"
import { Settings } from "../platform/Settings.ts"
import { withArriving } from "./Arriving.ts"

const unstored = HttpApp.appendPreResponseHandler((_, response) =>
  Effect.succeed(HttpServerResponse.setHeader(response, "cache-control", "no-store"))
)

const forAWhile = HttpApp.appendPreResponseHandler((_, response) =>
  Effect.succeed(HttpServerResponse.setHeader(response, "cache-control", "public, max-age=300"))
)

export const layer = HttpApiBuilder.group(Api, "auth", (handlers) =>
  Effect.gen(function* () {
    const tokens = yield* Tokens
    const { admitBody } = yield* Admission
    const keys = yield* SigningKeys
    const { authorizationServers } = yield* ForeignTokens
    const settings = yield* Settings

    const resource = (path: string, host: string | undefined) =>
      Effect.map(authorizationServers, (authorization_servers) => {
        const here = addressFor(settings, host)
        return new ProtectedResource({
          resource: `${here}${path}`,
          authorization_servers,
          jwks_uri: `${here}/.well-known/jwks.json`,
          scopes_supported: Scope.literals.filter((scope) => scope !== "*"),
          bearer_methods_supported: ["header"],
          resource_name: "Tracepipe",
          resource_documentation: `${here}/docs`
        })
      })

    /** What carries its own credential: failures count on the back-off of its address and of that credential. */
    const guarded = <A, E extends { readonly _tag: string }, R>(prefix: string | null, self: Effect.Effect<A, E, R>) =>
      withArriving((request) => Effect.zipRight(unstored, admitBody(request, prefix, self)))

    return handlers
      .handle("token", ({ payload, request }) =>
        guarded(tokens.presentedBy(payload, request.headers), tokens.token(payload, request.headers))
      )
      .handle("refresh", ({ payload, request }) =>
        guarded(null, tokens.refresh(payload.refresh_token, request.headers))
      )
      .handle("revoke", ({ payload }) => guarded(null, tokens.revoke(payload.token)))
      .handle("jwks", () =>
        Effect.zipRight(forAWhile, keys.current).pipe(
          Effect.map(
            ({ all }) =>
              new JsonWebKeySet({
                keys: all.map(({ kid, x }) => ({ kty: "OKP", crv: "Ed25519", x, kid, alg: "EdDSA", use: "sig" }))
              })
          )
        )
      )
      .handle("protected_resource", ({ request }) => resource("", request.headers["host"]))
      .handle("protected_mcp", ({ request }) => resource("/mcp", request.headers["host"]))
      .handle("protected_bridge", ({ request }) => resource("/bridge/mcp", request.headers["host"]))
  })
)
