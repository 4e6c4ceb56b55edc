import { Predicate } from "effect"
import type { Values } from "../platform/Settings.ts"

/** The address under which callers know this service, without a slash at its end. */
export const publicUrl = ({ server: { public_url, host, port } }: Values): string =>
  (public_url ?? `http://${host.includes(":") ? `[${host}]` : host}:${port}`).replace(/\/+$/, "")

const isHost = /^[\w.-]+(:\d+)?$|^\[[\da-f:]+\](:\d+)?$/i

/** The same as a caller that names this `Host` should see it: without PUBLIC_URL the address that it used. */
export const addressFor = (values: Values, host: string | undefined): string =>
  values.server.public_url === undefined && host !== undefined && isHost.test(host)
    ? `http://${host}`
    : publicUrl(values)

/** What the audience of a foreign access token must be: as configured, or this service or one of its MCP endpoints. */
export const audiences = (values: Values): ReadonlyArray<string> => {
  const here = publicUrl(values)
  const { oidc_audience } = values.login
  return [
    ...(oidc_audience === undefined ? [] : [oidc_audience]),
    ...["", "/", "/mcp", "/bridge/mcp", "/bridge/sse"].map((path) => `${here}${path}`)
  ]
}

/** True when a JWT claims to be of this issuer; what it claims is not verified. */
export const issuedBy = (token: string, issuer: string): boolean => {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"))
    return Predicate.hasProperty(claims, "iss") && claims.iss === issuer
  } catch {
    // No JSON: then it is nobody's.
    return false
  }
}
