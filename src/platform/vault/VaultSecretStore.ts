import { Effect, Either, Layer, Redacted, Schema } from "effect"
import { SecretChanged, type SecretPath, SecretStore, SecretStoreFailed } from "../SecretStore.ts"
import { nameOf } from "../secrets/SecretName.ts"
import { makeVault, saidBy, type VaultAnswer, type VaultOptions } from "./VaultClient.ts"

export interface VaultStoreOptions extends VaultOptions {
  /** Where a KV version 2 is mounted. */
  readonly mount: string
}

const Written = Schema.Struct({ data: Schema.Struct({ version: Schema.Int }) })

const Read = Schema.Struct({
  data: Schema.Struct({
    data: Schema.NullOr(Schema.Struct({ value: Schema.Redacted(Schema.String) })),
    metadata: Schema.Struct({ version: Schema.Int })
  })
})

const Metadata = Schema.Struct({
  data: Schema.Struct({
    current_version: Schema.Int,
    versions: Schema.Record({ key: Schema.String, value: Schema.Struct({ destroyed: Schema.Boolean }) })
  })
})

/** More than Vault keeps by itself (10): what is written is pruned by who wrote it, not by the count. */
const keptVersions = 1000

const failed = (reason: string) => new SecretStoreFailed({ reason })

/** The answer in its form. What is wrong with it is told without what was in it. */
const decoded = <A, I>(schema: Schema.Schema<A, I>, answer: VaultAnswer): Effect.Effect<A, SecretStoreFailed> =>
  answer.status >= 300
    ? failed(saidBy(answer))
    : Either.match(Schema.decodeUnknownEither(schema)(answer.body), {
        onLeft: () => failed(`Vault answers ${answer.status} in another form than its KV version 2`),
        onRight: Effect.succeed
      })

const isConflict = ({ status, body }: VaultAnswer) =>
  status === 400 && JSON.stringify(body).includes("check-and-set parameter did not match")

/** Secrets in HashiCorp Vault or OpenBao: `<mount>/tracepipe/<org or service>/<path>`, KV version 2. */
export const layer = ({ mount, ...options }: VaultStoreOptions) =>
  Layer.effect(
    SecretStore,
    Effect.gen(function* () {
      const vault = yield* makeVault(options)
      const at = (kind: "data" | "metadata" | "destroy", name: string) => `${mount}/${kind}/tracepipe/${name}`

      const write = (name: string, value: Redacted.Redacted, cas: number) =>
        vault.write({
          method: "POST",
          path: at("data", name),
          body: { options: { cas }, data: { value: Redacted.value(value) } }
        })

      const metadata = (name: string) =>
        Effect.flatMap(vault.call({ method: "GET", path: at("metadata", name) }), (answer) =>
          answer.status === 404 ? Effect.succeed(undefined) : Effect.map(decoded(Metadata, answer), ({ data }) => data)
        )

      const newest = (name: string) => Effect.map(metadata(name), (found) => found?.current_version ?? 0)

      /** Before the first version of a secret: so that Vault does not drop the eleventh last. */
      const prepare = (name: string) =>
        Effect.flatMap(
          vault.call({ method: "POST", path: at("metadata", name), body: { max_versions: keptVersions } }),
          (answer) => (answer.status < 300 ? Effect.void : failed(saidBy(answer)))
        )

      const put = Effect.fn("SecretStore.put")(function* (
        path: SecretPath,
        value: Redacted.Redacted,
        { after }: { readonly after?: number } = {}
      ) {
        const name = nameOf(path)
        for (;;) {
          const before = yield* newest(name)
          if (after !== undefined && after !== before) return yield* new SecretChanged({ path: path.path })
          if (before === 0) yield* prepare(name)
          const answer = yield* write(name, value, before)
          if (!isConflict(answer)) return (yield* decoded(Written, answer)).data.version
        }
      })

      const get = Effect.fn("SecretStore.get")(function* (path: SecretPath, version?: number) {
        const query = version === undefined ? "" : `?version=${version}`
        const answer = yield* vault.call({ method: "GET", path: `${at("data", nameOf(path))}${query}` })
        // Also of a version that was destroyed.
        if (answer.status === 404) return undefined
        const { data } = yield* decoded(Read, answer)
        return data.data === null ? undefined : { version: data.metadata.version, value: data.data.value }
      })

      const prune = Effect.fn("SecretStore.prune")(function* (path: SecretPath, before: number) {
        const name = nameOf(path)
        const found = yield* metadata(name)
        if (found === undefined) return
        const versions = Object.entries(found.versions)
          .filter(([, { destroyed }]) => !destroyed)
          .map(([version]) => Number(version))
          .filter((version) => version < Math.min(before, found.current_version))
        if (versions.length === 0) return
        const answer = yield* vault.call({ method: "PUT", path: at("destroy", name), body: { versions } })
        if (answer.status >= 300) return yield* failed(saidBy(answer))
      })

      const remove = Effect.fn("SecretStore.remove")(function* (path: SecretPath) {
        const answer = yield* vault.call({ method: "DELETE", path: at("metadata", nameOf(path)) })
        if (answer.status >= 300 && answer.status !== 404) return yield* failed(saidBy(answer))
      })

      const ping = Effect.gen(function* () {
        const answer = yield* vault.once({ method: "GET", path: at("metadata", "service/secret-store/probe") })
        // There is no such secret; who may not ask gets a 403.
        if (answer.status !== 404 && answer.status >= 300) return yield* failed(saidBy(answer))
      }).pipe(Effect.timeoutFail({ duration: "2 seconds", onTimeout: () => failed("no answer within 2 s") }))

      return { kind: "vault", put, get, prune, remove, ping }
    })
  )
