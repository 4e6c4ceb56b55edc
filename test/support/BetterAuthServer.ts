import { type BetterAuthPlugin, betterAuth } from "better-auth"
import { getMigrations } from "better-auth/db"
import { jwt } from "better-auth/plugins"
import { Effect } from "effect"
import { importJWK } from "jose"
import Pg from "pg"

/** A real Better Auth server with its JWT plugin, on a free port and the given database, in a schema of its own. */
export const betterAuthServer = (database: string) =>
  Effect.gen(function* () {
    const pool = yield* Effect.acquireRelease(
      Effect.promise(async () => {
        const made = new Pg.Pool({ connectionString: database, options: "-c search_path=better_auth", max: 2 })
        await made.query("create schema if not exists better_auth")
        return made
      }),
      (made) => Effect.promise(() => made.end())
    )
    let handle: (request: Request) => Promise<Response> = async () => new Response(null, { status: 503 })
    const server = yield* Effect.acquireRelease(
      Effect.sync(() => Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => handle(request) })),
      (running) => Effect.promise(() => running.stop(true))
    )
    const url = `http://127.0.0.1:${server.port}`
    // The plugin's own types do not hold where an optional property may not be undefined.
    const plugin = jwt({ jwks: { disablePrivateKeyEncryption: true } }) as unknown as BetterAuthPlugin
    const options = {
      baseURL: url,
      secret: "a secret of the test, long enough for it",
      database: pool,
      emailAndPassword: { enabled: true },
      telemetry: { enabled: false },
      rateLimit: { enabled: false },
      plugins: [plugin]
    }
    const auth = betterAuth(options)
    const { runMigrations } = yield* Effect.promise(() => getMigrations(options))
    yield* Effect.promise(runMigrations)
    handle = auth.handler

    /** Signs somebody up, as verified unless told otherwise, and answers a JWT of theirs. */
    const token = (email: string, verified = true) =>
      Effect.promise(async () => {
        const signedUp = await fetch(`${url}/api/auth/sign-up/email`, {
          method: "POST",
          headers: { "content-type": "application/json", origin: url },
          body: JSON.stringify({ email, password: "a long password", name: `Name of ${email}` })
        })
        if (!signedUp.ok) throw new Error(await signedUp.text())
        await pool.query('update "user" set "emailVerified" = $2 where email = $1', [email, verified])
        const cookie = signedUp.headers
          .getSetCookie()
          .map((text) => text.split(";")[0])
          .join("; ")
        const answered = await fetch(`${url}/api/auth/token`, { headers: { cookie } })
        const body: { readonly token: string } = await answered.json()
        return body.token
      })

    /** The key that it signs with. */
    const key = Effect.promise(async () => {
      const { rows } = await pool.query<{ id: string; privateKey: string }>('select id, "privateKey" from jwks')
      const jwk = JSON.parse(rows[0]?.privateKey ?? "{}")
      return { private_key: await importJWK(jwk, "EdDSA", { extractable: true }), alg: "EdDSA", kid: rows[0]?.id ?? "" }
    })

    return { url, token, key } as const
  })
