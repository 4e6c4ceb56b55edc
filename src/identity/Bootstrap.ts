import { SqlClient } from "@effect/sql"
import { Effect, Redacted, Schema } from "effect"
import { Settings } from "../platform/Settings.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { ApiKeysRepo } from "./ApiKeysRepo.ts"
import { Audit } from "./Audit.ts"
import * as KeyFormat from "./KeyFormat.ts"
import { OrganizationsRepo } from "./OrganizationsRepo.ts"
import { UsersRepo } from "./UsersRepo.ts"

/** BOOTSTRAP_API_KEY is not a key of this service's form. */
export class BootstrapKeyMalformed extends Schema.TaggedError<BootstrapKeyMalformed>("identity/BootstrapKeyMalformed")(
  "BootstrapKeyMalformed",
  {}
) {
  override get message() {
    return "BOOTSTRAP_API_KEY: expected a key as `tracepipe keys generate` prints it (tp_live_ and 28 letters, the last six a checksum)"
  }
}

/** A production start on an empty database must be told its first key: the terminal is no place for one. */
export class BootstrapKeyMissing extends Schema.TaggedError<BootstrapKeyMissing>("identity/BootstrapKeyMissing")(
  "BootstrapKeyMissing",
  {}
) {
  override get message() {
    return "BOOTSTRAP_API_KEY: needed for the first start in production; `tracepipe keys generate` prints one"
  }
}

/** There is no organization, or none of that name, to make a key for. */
export class NoSuchOrganization extends Schema.TaggedError<NoSuchOrganization>("identity/NoSuchOrganization")(
  "NoSuchOrganization",
  { slug: Schema.String }
) {
  override get message() {
    return `there is no organization ${this.slug} with an owner`
  }
}

// Two nodes may start on one empty database at once: only one of them is the first.
const lock = 7_203_114_002

/** The first organization, its owner and the first key; and a way back in when all keys are lost. */
export class Bootstrap extends Effect.Service<Bootstrap>()("identity/Bootstrap", {
  dependencies: [OrganizationsRepo.Default, UsersRepo.Default, ApiKeysRepo.Default, Audit.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const { data, app_env } = yield* Settings
    const organizations = yield* OrganizationsRepo
    const users = yield* UsersRepo
    const keys = yield* ApiKeysRepo
    const audit = yield* Audit

    const insertKey = (
      owner: Pick<Parameters<typeof keys.insert>[0], "org_id" | "user_id">,
      key: string,
      name: string
    ) =>
      Effect.tap(
        keys.insert({
          ...owner,
          agent_id: null,
          name,
          prefix: KeyFormat.prefix(key),
          hash: KeyFormat.hash(key),
          scopes: ["*"],
          suite_ids: null,
          expires_at: null
        }),
        (made) =>
          audit.recordSystem(owner.org_id, { action: "api_key.create", resource: `api_key/${made.id}`, after: made })
      )

    /**
     * On an empty database makes the organization `default`, an owner and one key. Answers the key
     * when it was made here and has to be shown, undefined otherwise.
     */
    const run = Effect.fn("Bootstrap.run")(function* () {
      const given = data.bootstrap_api_key === undefined ? undefined : Redacted.value(data.bootstrap_api_key)
      if (given !== undefined && !KeyFormat.isWellFormed(given)) return yield* new BootstrapKeyMalformed()
      if (!(yield* organizations.isEmpty)) return undefined
      if (given === undefined && app_env === "production") return yield* new BootstrapKeyMissing()
      return yield* Effect.gen(function* () {
        yield* sql`select pg_advisory_xact_lock(${lock})`
        if (!(yield* organizations.isEmpty)) return undefined
        const organization = yield* organizations.insert({ slug: "default", name: "Default" })
        const user = yield* users.insert({ display_name: "Owner", issuer: "tracepipe", subject: "owner" })
        yield* users.join(organization.id, user.id, "owner")
        const key = given ?? KeyFormat.make()
        yield* insertKey({ org_id: organization.id, user_id: user.id }, key, "first key")
        return given === undefined ? key : undefined
      }).pipe(sql.withTransaction, orDefect)
    })

    /** Makes a new key for the first owner of an organization, straight in the database. */
    const recover = Effect.fn("Bootstrap.recover")(function* (slug: string) {
      const organization = yield* organizations.bySlug(slug)
      const owner = organization === undefined ? undefined : yield* organizations.firstOwner(organization.id)
      if (organization === undefined || owner === undefined) return yield* new NoSuchOrganization({ slug })
      const key = KeyFormat.make()
      yield* insertKey({ org_id: organization.id, user_id: owner.user_id }, key, "recovered key").pipe(
        sql.withTransaction,
        orDefect
      )
      return key
    })

    return { run, recover } as const
  })
}) {}
