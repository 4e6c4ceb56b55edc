import { Effect } from "effect"
import { request } from "./TestServer.ts"

/** The answer to a raw request without a credential but for what its headers say; JSON where some came. */
export const answer = (path: string, init: Parameters<typeof request>[1] = {}) =>
  Effect.flatMap(request(path, { api_key: null, ...init }), (response) =>
    Effect.promise(async () => {
      const text = await response.text()
      return { status: response.status, headers: response.headers, body: text === "" ? undefined : JSON.parse(text) }
    })
  )

export const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  answer(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body)
  })

/** Who the bearer of a token is. */
export const me = (token: string, headers: Record<string, string> = {}) =>
  answer("/v1/users/me", { headers: { authorization: `Bearer ${token}`, ...headers } })
