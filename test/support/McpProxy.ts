import { Effect } from "effect"

/** Before a service that wants a credential, for clients that cannot send one: adds the key, and keeps all else. */
export const withKey = (target: { readonly base_url: string; readonly api_key: string }) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        idleTimeout: 0,
        fetch: (request) => {
          const { pathname } = new URL(request.url)
          const headers = new Headers(request.headers)
          headers.set("x-api-key", target.api_key)
          return fetch(`${target.base_url}${pathname}`, {
            method: request.method,
            headers,
            body: request.body,
            signal: request.signal
          })
        }
      })
    ),
    (server) => Effect.promise(() => server.stop(true))
  ).pipe(Effect.map(({ port }) => `http://127.0.0.1:${port}`))
