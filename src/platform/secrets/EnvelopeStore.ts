import type { SqlClient, SqlError } from "@effect/sql"
import { Effect, type ParseResult, Redacted } from "effect"
import { SecretChanged, type SecretPath, type SecretStore, SecretStoreFailed } from "../SecretStore.ts"
import { isPassingFailure, orDefect } from "../SqlFailure.ts"
import { open, seal } from "./Envelope.ts"
import { aboutOf, type KeyKeeper } from "./KeyKeeper.ts"
import { nameOf } from "./SecretName.ts"
import { SealedSecret, secretsRepo } from "./SecretsRepo.ts"

/** A database that is away is told as the store's failure; any other failure of a statement is a defect. */
const asked = <A, E>(query: Effect.Effect<A, E | SqlError.SqlError | ParseResult.ParseError>) =>
  query.pipe(
    orDefect,
    Effect.catchAllDefect((defect) =>
      isPassingFailure(defect)
        ? new SecretStoreFailed({ reason: "the database that keeps the secrets is away or too busy" })
        : Effect.die(defect)
    )
  )

const wipe = (key: Uint8Array) => Effect.sync(() => void key.fill(0))

/** Runs with a data key, and leaves none of it in memory. */
const withKey = <A, E>(key: Uint8Array, use: (key: Uint8Array) => Effect.Effect<A, E>) =>
  Effect.ensuring(
    Effect.suspend(() => use(key)),
    wipe(key)
  )

/**
 * Secrets in the service's own database, each version encrypted with a data key of its own that the
 * keeper wraps. Name and version are authenticated: a row that was moved or swapped does not open.
 */
export const make = (keeper: KeyKeeper): Effect.Effect<SecretStore["Type"], never, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const repo = yield* secretsRepo

    /** Seals the value as this version, and adds it unless somebody else was first. */
    const write = (at: SecretPath, value: Redacted.Redacted, version: number) =>
      Effect.gen(function* () {
        const sealing = { name: nameOf(at), version }
        const { plain, wrapped, kek_id } = yield* keeper.fresh(sealing)
        const sealed = yield* withKey(plain, (key) =>
          Effect.sync(() => seal(key, Buffer.from(Redacted.value(value)), aboutOf(sealing)))
        )
        return yield* asked(repo.append(at, new SealedSecret({ version, ...sealed, data_key: wrapped, kek_id })))
      })

    const put = Effect.fn("SecretStore.put")(function* (
      at: SecretPath,
      value: Redacted.Redacted,
      { after }: { readonly after?: number } = {}
    ) {
      for (;;) {
        const newest = yield* asked(repo.newest(at))
        if (after !== undefined && after !== newest) return yield* new SecretChanged({ path: at.path })
        // The keeper may be asked over the network, so it is asked before anything is locked.
        if (yield* write(at, value, newest + 1)) return newest + 1
      }
    })

    const get = Effect.fn("SecretStore.get")(function* (at: SecretPath, version?: number) {
      const name = nameOf(at)
      const found = yield* asked(repo.find(at, version))
      if (found === undefined) return undefined
      const sealing = { name, version: found.version }
      const key = yield* keeper.unwrap({ wrapped: found.data_key, kek_id: found.kek_id }, sealing)
      const value = yield* withKey(key, (plain) =>
        Effect.try({
          try: () => Redacted.make(Buffer.from(open(plain, found, aboutOf(sealing))).toString("utf8")),
          catch: () =>
            new SecretStoreFailed({ reason: `version ${found.version} of ${at.path} was changed in the database` })
        })
      )
      return { version: found.version, value }
    })

    // Written by the first process that starts, so that one with another key is found before it writes.
    const probe: SecretPath = { org_id: null, path: "secret-store/probe" }
    const ping = Effect.gen(function* () {
      if ((yield* get(probe)) !== undefined) return
      yield* put(probe, Redacted.make("tracepipe"), { after: 0 }).pipe(
        Effect.catchTag("SecretChanged", () => get(probe))
      )
    }).pipe(
      Effect.timeoutFail({
        duration: "2 seconds",
        onTimeout: () => new SecretStoreFailed({ reason: "no answer within 2 s" })
      })
    )

    return {
      kind: keeper.kind,
      put,
      get,
      prune: Effect.fn("SecretStore.prune")((at: SecretPath, before: number) =>
        Effect.asVoid(asked(repo.prune(at, before)))
      ),
      remove: Effect.fn("SecretStore.remove")((at: SecretPath) => Effect.asVoid(asked(repo.remove(at)))),
      ping
    }
  })
