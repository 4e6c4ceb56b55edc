import { Data, type Duration, Effect, Either, Redacted, Schedule, Schema } from "effect"
import { Egress } from "../Egress.ts"
import { hostOf, portOf } from "../egress/HostRules.ts"
import { SecretStoreFailed } from "../SecretStore.ts"

export type VaultLogin =
  | { readonly token: Redacted.Redacted }
  | { readonly role_id: string; readonly secret_id: Redacted.Redacted }

export interface VaultOptions {
  readonly address: string
  readonly namespace: string | undefined
  readonly login: VaultLogin
  /** How long a request is repeated while Vault is sealed, restarting or overloaded; default 5 s. */
  readonly retry_for?: Duration.DurationInput
}

interface Call {
  readonly method: "GET" | "POST" | "PUT" | "DELETE"
  /** Below `/v1/`. */
  readonly path: string
  readonly body?: unknown
}

/** What Vault answered: JSON, or nothing with a 204. */
export interface VaultAnswer {
  readonly status: number
  readonly body: unknown
}

const Auth = Schema.Struct({
  auth: Schema.Struct({
    client_token: Schema.Redacted(Schema.NonEmptyString),
    lease_duration: Schema.Number,
    renewable: Schema.Boolean
  })
})

const decodeAuth = Schema.decodeUnknownEither(Auth)

const Errors = Schema.Struct({ errors: Schema.Array(Schema.String) })
const decodeErrors = Schema.decodeUnknownEither(Errors)

/** What Vault says of a failure: its errors never hold a value, and are told short. */
export const saidBy = ({ status, body }: VaultAnswer): string => {
  const { errors } = Either.getOrElse(decodeErrors(body), () => ({ errors: [] }))
  const text = errors.join("; ").trim().slice(0, 300)
  return `Vault answers ${status}${text === "" ? "" : `: ${text}`}`
}

class Undone extends Data.TaggedError("Undone")<{ readonly answer: VaultAnswer }> {}

const failed = (reason: string) => new SecretStoreFailed({ reason })

/** Limited, a standby, sealed: Vault did nothing, and may a moment later. */
const undone = [412, 429, 472, 473, 503]
const passing = [...undone, 500, 502, 504]

interface Session {
  readonly token: Redacted.Redacted
  /** When to renew it, in ms since the epoch; undefined: it is the operator's, who renews it. */
  readonly renew_at: number | undefined
  readonly renewable: boolean
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Requests to Vault's HTTP API, with a token that is kept alive. */
export const makeVault = ({ address, namespace, login, retry_for = "5 seconds" }: VaultOptions) =>
  Effect.gen(function* () {
    const egress = yield* Egress
    const base = new URL(`${address.replace(/\/+$/, "")}/v1/`)
    const options = { operator_hosts: [`${hostOf(base)}:${portOf(base)}`], timeout_ms: 5000, max_bytes: 4 * 1024 ** 2 }
    const alone = yield* Effect.makeSemaphore(1)
    let session: Session | undefined

    const send = ({ method, path, body }: Call, token: Redacted.Redacted | undefined) =>
      egress
        .request(
          new URL(path, base),
          {
            method,
            headers: {
              "x-vault-request": "true",
              ...(token === undefined ? {} : { "x-vault-token": Redacted.value(token) }),
              ...(namespace === undefined ? {} : { "x-vault-namespace": namespace }),
              ...(body === undefined ? {} : { "content-type": "application/json" })
            },
            ...(body === undefined ? {} : { body: JSON.stringify(body) })
          },
          options
        )
        .pipe(
          Effect.flatMap((response) =>
            Effect.map(
              Effect.promise(() => response.text()),
              (text): VaultAnswer => ({ status: response.status, body: parsed(text) })
            )
          ),
          Effect.mapError(({ reason }) => failed(`Vault: ${reason}`))
        )

    const sessionOf = (answer: VaultAnswer): Effect.Effect<Session, SecretStoreFailed> =>
      Either.match(decodeAuth(answer.body), {
        onLeft: () => failed(`the login: ${saidBy(answer)}`),
        onRight: ({ auth }) =>
          Effect.succeed({
            token: auth.client_token,
            renewable: auth.renewable,
            // At two thirds of its life, as Vault's own agent does.
            renew_at: auth.lease_duration === 0 ? undefined : Date.now() + (auth.lease_duration * 2000) / 3
          })
      })

    const logIn: Effect.Effect<Session, SecretStoreFailed> =
      "token" in login
        ? Effect.succeed({ token: login.token, renewable: false, renew_at: undefined })
        : Effect.suspend(() =>
            Effect.flatMap(
              send(
                {
                  method: "POST",
                  path: "auth/approle/login",
                  body: { role_id: login.role_id, secret_id: Redacted.value(login.secret_id) }
                },
                undefined
              ),
              sessionOf
            )
          )

    const renewed = (old: Session) =>
      old.renewable
        ? send({ method: "POST", path: "auth/token/renew-self", body: {} }, old.token).pipe(
            Effect.flatMap(sessionOf),
            // A token that is at the end of its longest life is not renewed: then there is a new one.
            Effect.orElse(() => logIn)
          )
        : logIn

    /** The token to use now; a new one if the given one was refused. One caller at a time gets it. */
    const current = (refused?: Session) =>
      alone.withPermits(1)(
        Effect.gen(function* () {
          const known = session
          const due = known?.renew_at !== undefined && Date.now() >= known.renew_at
          if (known !== undefined && known !== refused && !due) return known
          session = yield* known !== undefined && known !== refused ? renewed(known) : logIn
          return session
        })
      )

    const once = (call: Call) =>
      Effect.gen(function* () {
        const first = yield* current()
        const answer = yield* send(call, first.token)
        if (answer.status !== 403 || "token" in login) return answer
        // Revoked or expired sooner than it said.
        return yield* send(call, (yield* current(first)).token)
      })

    const unless =
      (statuses: ReadonlyArray<number>) =>
      (answer: VaultAnswer): Effect.Effect<VaultAnswer, SecretStoreFailed> =>
        statuses.includes(answer.status) ? failed(saidBy(answer)) : Effect.succeed(answer)

    const retries = Schedule.exponential("100 millis").pipe(
      Schedule.jittered,
      Schedule.union(Schedule.spaced("1 second")),
      Schedule.upTo(retry_for)
    )

    return {
      /** Asks, and again while Vault is away: for what may be done twice. */
      call: (call: Call) => Effect.retry(Effect.flatMap(once(call), unless(passing)), retries),
      /** Asks, and again only where Vault says that it did nothing. */
      write: (call: Call) =>
        Effect.gen(function* () {
          const answer = yield* once(call)
          return undone.includes(answer.status) ? yield* new Undone({ answer }) : answer
        }).pipe(
          Effect.retry({ schedule: retries, while: ({ _tag }) => _tag === "Undone" }),
          Effect.catchTag("Undone", ({ answer }) => failed(saidBy(answer))),
          Effect.flatMap(unless(passing))
        ),
      /** Asks once. */
      once: (call: Call) => Effect.flatMap(once(call), unless(passing))
    }
  })
