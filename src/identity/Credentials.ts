import { Effect, Either } from "effect"
import { BadRequest, Unauthorized } from "../domain/Errors.ts"

/** The headers of a request, by lower-case name. */
export type RequestHeaders = Readonly<Record<string, string | undefined>>

/** What a caller presents to prove who it is. */
export type Credential =
  | { readonly kind: "api_key"; readonly key: string }
  | { readonly kind: "client_secret"; readonly client_id: string; readonly secret: string }
  | { readonly kind: "token"; readonly token: string }

const twoCredentials = new BadRequest({ detail: "the request carries two different credentials" })

const noCredential = new Unauthorized({
  detail:
    "send an API key as `X-API-Key: tp_…` or `Authorization: Bearer tp_…`, or an access token as `Authorization: Bearer …`"
})

const unreadable = new Unauthorized({
  detail: "Authorization must be `Bearer <API key or access token>` or `Basic <client id and secret>`"
})

const halfClient = new Unauthorized({ detail: "MCP_CLIENT_ID and API_KEY (the client's secret) belong together" })

// Three base64url parts: what RFC 7519 calls a JWT. An API key has none of these dots.
const isToken = (text: string) => /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text)

const bearer = (text: string): Credential =>
  isToken(text) ? { kind: "token", token: text } : { kind: "api_key", key: text }

const basic = (encoded: string): Either.Either<Credential, Unauthorized> => {
  const text = Buffer.from(encoded, "base64").toString("utf8")
  const at = text.indexOf(":")
  if (at < 1) return Either.left(unreadable)
  // RFC 6749, 2.3.1: both are form-encoded first; ours have no letter that this changes.
  return Either.right({ kind: "client_secret", client_id: text.slice(0, at), secret: text.slice(at + 1) })
}

// No other has ever been given out, and what is looked up is not for others to choose.
const isClientId = (text: string) => /^agent_[0-9A-Za-z]{22}$/.test(text)

const unknownClient = new Unauthorized({ detail: "this is no client id of this service" })

/** An agent's client id and secret that a body carries. */
export const presentedClient = (client_id: string, secret: string): Effect.Effect<Credential, Unauthorized> =>
  isClientId(client_id) ? Effect.succeed({ kind: "client_secret", client_id, secret }) : Effect.fail(unknownClient)

const authorization = (text: string): Either.Either<Credential, Unauthorized> => {
  const [, scheme, value] = /^(bearer|basic) +(\S+) *$/i.exec(text) ?? []
  if (scheme === undefined || value === undefined) return Either.left(unreadable)
  return scheme.toLowerCase() === "bearer" ? Either.right(bearer(value)) : basic(value)
}

// A header that is sent twice arrives as one, its values joined.
const values = (header: string | undefined): ReadonlyArray<string> =>
  header === undefined ? [] : header.includes(",") ? header.split(/, */) : [header]

const client = (headers: RequestHeaders): Either.Either<Credential, Unauthorized | BadRequest> => {
  const [client_id, ...ids] = new Set(values(headers["mcp_client_id"] ?? headers["mcp-client-id"]))
  const [secret, ...secrets] = new Set(values(headers["api_key"] ?? headers["api-key"]))
  if (client_id === undefined || secret === undefined) return Either.left(halfClient)
  if (ids.length > 0 || secrets.length > 0) return Either.left(twoCredentials)
  return Either.right({ kind: "client_secret", client_id, secret })
}

const hasClient = (headers: RequestHeaders) =>
  headers["mcp_client_id"] !== undefined || headers["mcp-client-id"] !== undefined || headers["api_key"] !== undefined

const presented = (headers: RequestHeaders): Either.Either<ReadonlyArray<Credential>, Unauthorized | BadRequest> =>
  Either.gen(function* () {
    const isClient = hasClient(headers)
    const found: Array<Credential> = isClient ? [yield* client(headers)] : []
    const keys = [...values(headers["x-api-key"]), ...(isClient ? [] : values(headers["api-key"]))]
    found.push(...keys.map((key): Credential => ({ kind: "api_key", key })))
    if (headers["authorization"] !== undefined) found.push(yield* authorization(headers["authorization"]))
    return found
  })

const isSame = (one: Credential, other: Credential) => JSON.stringify(one) === JSON.stringify(other)

/** The client id that a request's headers carry; null where they carry none. */
export const clientIdIn = (headers: RequestHeaders): string | null =>
  Either.match(presented(headers), {
    onLeft: () => null,
    onRight: ([first]) => (first?.kind === "client_secret" ? first.client_id : null)
  })

/** The key of a request that carries one in `X-API-Key` and nothing else: by far the most do. */
export const plainKey = (headers: RequestHeaders): string | undefined => {
  const key = headers["x-api-key"]
  return key !== undefined &&
    headers["authorization"] === undefined &&
    headers["api-key"] === undefined &&
    !hasClient(headers) &&
    !key.includes(",")
    ? key
    : undefined
}

/**
 * The one credential that a request carries: an API key (`X-API-Key`, `API-Key`, `Bearer tp_…`), a
 * client id and secret (`MCP_CLIENT_ID` with `API_KEY`, or HTTP Basic), or a JWT (`Bearer …`). The
 * same one may be sent twice; two different ones are a 400.
 */
export const presentedCredential = (headers: RequestHeaders): Effect.Effect<Credential, Unauthorized | BadRequest> => {
  const key = plainKey(headers)
  if (key !== undefined) return Effect.succeed({ kind: "api_key", key })
  return Effect.flatMap(presented(headers), (found): Effect.Effect<Credential, Unauthorized | BadRequest> => {
    const [first, ...others] = found
    if (first === undefined) return Effect.fail(noCredential)
    if (first.kind === "client_secret" && !isClientId(first.client_id)) return Effect.fail(unknownClient)
    return others.every((other) => isSame(first, other)) ? Effect.succeed(first) : Effect.fail(twoCredentials)
  })
}
