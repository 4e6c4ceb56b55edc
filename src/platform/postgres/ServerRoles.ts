import { Effect, Predicate, Redacted, Schema } from "effect"
import Pg from "pg"
import { BundledPostgresFailed } from "./BundledPostgresError.ts"
import type { ServerCredentials } from "./ServerCredentials.ts"

export const DATABASE = "tracepipe"

interface Login {
  readonly host: string
  readonly port: number
  readonly user: keyof ServerCredentials
  readonly database: string
  readonly credentials: ServerCredentials
}

/** A server that works said no: the role, its password or the database are not there. */
class LoginRefused extends Schema.TaggedError<LoginRefused>("platform/LoginRefused")("LoginRefused", {
  detail: Schema.String
}) {
  override get message() {
    return `the bundled PostgreSQL refuses a login: ${this.detail}`
  }
}

const sessionFailure = (cause: unknown) =>
  Predicate.hasProperty(cause, "code") && /^(28...|3D000|42501)$/.test(String(cause.code))
    ? new LoginRefused({ detail: String(cause) })
    : new BundledPostgresFailed({ operation: "answer", detail: String(cause) })

const session = (login: Login, use: (client: Pg.Client) => Promise<unknown>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const { credentials, ...address } = login
      const client = new Pg.Client({
        ...address,
        password: Redacted.value(credentials[login.user]),
        connectionTimeoutMillis: 5000
      })
      // The promises below fail with the same; without a listener it would end the process.
      client.on("error", () => undefined)
      return client
    }),
    (client) => Effect.tryPromise({ try: () => client.connect().then(() => use(client)), catch: sessionFailure }),
    // Bounded, because the server may stop answering while it is asked.
    (client) =>
      Effect.promise(() => client.end().catch(() => undefined)).pipe(
        Effect.interruptible,
        Effect.timeoutOption("1 second")
      )
  )

/** Whether the application's role can log in, which it can from the end of {@link makeRoles} on. */
export const logIn = (server: Omit<Login, "user" | "database">) =>
  session({ ...server, user: "tracepipe_app", database: DATABASE }, (client) => client.query("select 1"))

const makeRole = (name: keyof ServerCredentials) =>
  `do $$ begin if to_regrole('${name}') is null then create role ${name}; end if; end $$`

/**
 * Makes the database and its two roles; what is there already stays. `tracepipe_owner` owns the
 * database, `tracepipe_app` may log in and gets its grants from the migrations.
 */
export const makeRoles = Effect.fn("ServerRoles.make")(
  function* (server: Omit<Login, "user" | "database">) {
    const superuser = { ...server, user: "postgres" } as const
    const login = (client: Pg.Client, name: keyof ServerCredentials) =>
      client.query(
        `alter role ${name} login password ${client.escapeLiteral(Redacted.value(server.credentials[name]))}`
      )
    yield* session({ ...superuser, database: "postgres" }, async (client) => {
      await client.query(makeRole("tracepipe_owner"))
      await client.query(makeRole("tracepipe_app"))
      const found = await client.query("select from pg_database where datname = $1", [DATABASE])
      if (found.rowCount === 0) await client.query(`create database ${DATABASE} owner tracepipe_owner`)
    })
    yield* session({ ...superuser, database: DATABASE }, async (client) => {
      await client.query(`revoke all on database ${DATABASE} from public`)
      await client.query(`grant connect on database ${DATABASE} to tracepipe_app`)
      await client.query("revoke create on schema public from public")
      await client.query("grant usage on schema public to tracepipe_app")
      await login(client, "tracepipe_owner")
      // Last, because its success means that all of the above is done.
      await login(client, "tracepipe_app")
    })
  },
  Effect.mapError((error) => new BundledPostgresFailed({ operation: "make its roles", detail: error.detail }))
)
