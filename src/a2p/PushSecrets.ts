import { Effect, Redacted, Schema } from "effect"
import type { OrganizationId } from "../domain/Ids.ts"
import { SecretStore } from "../platform/SecretStore.ts"

/** What is secret of a push configuration. */
const Secrets = Schema.parseJson(
  Schema.Struct({
    /** Signs what is sent. One that begins with `whsec_` is not sent itself. */
    token: Schema.String,
    /** Of the Authorization header; empty for none. */
    credentials: Schema.String
  })
)
export type Secrets = typeof Secrets.Type

const encode = Schema.encodeSync(Secrets)
const decode = Schema.decodeUnknown(Secrets)

const PREFIX = "whsec_"

/** A new signing secret, in the form of Standard Webhooks. */
export const newSecret = (): string =>
  `${PREFIX}${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64")}`

/** True for a token that only signs. */
export const isSigningSecret = (token: string): boolean => token.startsWith(PREFIX)

/** True when what follows the prefix is a key of 24 to 64 bytes, as Standard Webhooks asks for. */
export const isWellFormed = (secret: string): boolean => {
  const text = secret.slice(PREFIX.length)
  const bytes = Buffer.from(text, "base64")
  return (
    bytes.length >= 24 && bytes.length <= 64 && bytes.toString("base64").replace(/=+$/, "") === text.replace(/=+$/, "")
  )
}

interface Place {
  readonly org_id: OrganizationId
  readonly secret_ref: string
}

const at = ({ org_id, secret_ref }: Place) => ({ org_id, path: secret_ref })

/** The secrets of push configurations, in the secret store. */
export class PushSecrets extends Effect.Service<PushSecrets>()("a2p/PushSecrets", {
  effect: Effect.gen(function* () {
    const store = yield* SecretStore

    const put = (place: Place, secrets: Secrets) =>
      store.put(at(place), Redacted.make(encode(secrets))).pipe(
        Effect.asVoid,
        // Each path is written once: nobody else can have changed it.
        Effect.catchTag("SecretChanged", Effect.die)
      )

    /** Undefined: they are gone. */
    const get = (place: Place) =>
      Effect.flatMap(store.get(at(place)), (found) =>
        found === undefined ? Effect.succeed(undefined) : Effect.orDie(decode(Redacted.value(found.value)))
      )

    const remove = (place: Place) => store.remove(at(place))

    return { put, get, remove } as const
  })
}) {}
