import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect } from "effect"
import { exportJWK, generateKeyPair } from "jose"
import { Provider } from "oidc-provider"
import * as openid from "openid-client"

export const CLIENT_ID = "tracepipe-test"
export const CLIENT_SECRET = "a secret of the test's provider, long enough"
export const REDIRECT_URI = "https://app.example/callback"

/** Somebody with an account at the provider. */
export interface Account {
  readonly sub: string
  readonly email?: string
  readonly email_verified?: boolean
  readonly name?: string
}

/** What an application holds after somebody logged in: enough for `/auth/token`. */
export interface Login {
  readonly code: string
  readonly code_verifier: string
  readonly nonce: string
}

/** Follows redirects and posts forms as a browser would, up to where the provider sends the code. */
const browse = async (start: URL, login: string): Promise<URL> => {
  const jar = new Map<string, string>()
  const visit = async (url: URL, form?: Record<string, string>): Promise<URL> => {
    const response = await fetch(url, {
      method: form === undefined ? "GET" : "POST",
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; ") },
      body: form === undefined ? null : new URLSearchParams(form),
      redirect: "manual"
    })
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
      if (value === "") jar.delete(name)
      else jar.set(name, value)
    }
    const page = await response.text()
    const location = response.headers.get("location")
    if (location !== null) {
      const next = new URL(location, url)
      return next.href.startsWith(REDIRECT_URI) ? next : visit(next)
    }
    if (form !== undefined || !url.pathname.startsWith("/interaction/")) {
      throw new Error(`the provider answers ${response.status} at ${url.href}: ${page}`)
    }
    return visit(
      url,
      page.includes('value="login"') ? { prompt: "login", login, password: "any" } : { prompt: "consent" }
    )
  }
  return visit(start)
}

/** A real OpenID provider (`oidc-provider`, certified) on a free port, with one client and these accounts. */
export const openIdServer = (options: {
  readonly accounts: ReadonlyArray<Account>
  /** The audience of the access tokens that it gives out as JWTs. */
  readonly audience: string
}) =>
  Effect.gen(function* () {
    const http = yield* Effect.acquireRelease(
      Effect.async<ReturnType<typeof createServer>>((resume) => {
        const server = createServer()
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
    const { privateKey } = yield* Effect.promise(() => generateKeyPair("ES256", { extractable: true }))
    const jwk = yield* Effect.promise(() => exportJWK(privateKey))
    const provider = new Provider(issuer, {
      clients: [
        {
          client_id: CLIENT_ID,
          client_secret: CLIENT_SECRET,
          redirect_uris: [REDIRECT_URI],
          id_token_signed_response_alg: "ES256"
        }
      ],
      jwks: { keys: [{ ...jwk, use: "sig", alg: "ES256", kid: "of-the-test" }] },
      cookies: { keys: ["a key of the test"] },
      conformIdTokenClaims: false,
      claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
      scopes: ["openid", "email", "profile", "suites:read"],
      pkce: { required: () => true },
      findAccount: (_context, sub) => {
        const account = options.accounts.find((one) => one.sub === sub)
        return account === undefined ? undefined : { accountId: sub, claims: () => ({ ...account }) }
      },
      extraTokenClaims: (_context, token) => {
        const account = options.accounts.find((one) => "accountId" in token && one.sub === token.accountId)
        return account === undefined ? undefined : { email: account.email, email_verified: account.email_verified }
      },
      features: {
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: () => ({
            scope: "suites:read",
            audience: options.audience,
            accessTokenFormat: "jwt",
            jwt: { sign: { alg: "ES256" } }
          })
        }
      }
    })
    const answer = provider.callback()
    http.on("request", (request, response) => void answer(request, response))

    const config = yield* Effect.promise(() =>
      openid.discovery(new URL(issuer), CLIENT_ID, CLIENT_SECRET, undefined, {
        execute: [openid.allowInsecureRequests]
      })
    )

    const authorized = (sub: string, more: Record<string, string> = {}) =>
      Effect.promise(async () => {
        const code_verifier = openid.randomPKCECodeVerifier()
        const nonce = openid.randomNonce()
        const url = openid.buildAuthorizationUrl(config, {
          redirect_uri: REDIRECT_URI,
          scope: "openid email profile",
          code_challenge: await openid.calculatePKCECodeChallenge(code_verifier),
          code_challenge_method: "S256",
          nonce,
          ...more
        })
        return { url: await browse(url, sub), code_verifier, nonce }
      })

    /** Logs somebody in, up to the code that the application gets. */
    const login = (sub: string): Effect.Effect<Login> =>
      Effect.map(authorized(sub), ({ url, ...rest }) => ({ ...rest, code: url.searchParams.get("code") ?? "" }))

    /** Logs somebody in and gets an access token for a resource, as an MCP client does. */
    const accessToken = (sub: string, resource: string, scope = "openid") =>
      Effect.flatMap(authorized(sub, { resource, scope }), ({ url, code_verifier, nonce }) =>
        Effect.promise(async () => {
          const tokens = await openid.authorizationCodeGrant(
            config,
            url,
            { pkceCodeVerifier: code_verifier, expectedNonce: nonce },
            { resource }
          )
          return tokens.access_token
        })
      )

    return { issuer, login, accessToken, key: { private_key: privateKey, alg: "ES256", kid: "of-the-test" } } as const
  })
