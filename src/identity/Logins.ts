import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { Forbidden } from "../domain/Errors.ts"
import type { OrganizationId } from "../domain/Ids.ts"
import { Settings } from "../platform/Settings.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { Audit } from "./Audit.ts"
import { LoginsRepo, type Membership } from "./LoginsRepo.ts"
import { type Person, verifiedEmail } from "./Person.ts"

const stranger = new Forbidden({
  detail:
    "you are a member of no organization here; ask an administrator for an invitation to your verified e-mail address"
})

const elsewhere = new Forbidden({ detail: "you are no member of the organization that X-Org-Id names" })

/** What a display name can be. */
const shown = (text: string) => [...text.toWellFormed().replaceAll("\u0000", "")].slice(0, 200).join("") || "?"

/** People who come with another issuer's word: who they are here, and in which organization they act. */
export class Logins extends Effect.Service<Logins>()("identity/Logins", {
  dependencies: [LoginsRepo.Default, Audit.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const repo = yield* LoginsRepo
    const audit = yield* Audit
    const { login } = yield* Settings

    /** Somebody's first time here: made a user, and a member where a rule or an invitation says so. */
    const welcome = (person: Person) =>
      Effect.gen(function* () {
        const email = verifiedEmail(person)
        const domain = email?.split("@").at(-1)
        const rule = login.auto_provision.find((one) => one.domain === domain)
        if (email === undefined || rule === undefined) return []
        const { id } = yield* repo.userOf({
          issuer: person.iss,
          subject: person.sub,
          display_name: shown(person.name ?? email),
          email
        })
        const joined = yield* repo.join(id, rule.organization, rule.role)
        if (joined === undefined) {
          yield* Effect.logWarning(
            `AUTH_AUTO_PROVISION names the organization ${rule.organization}, which is not there`
          )
          return []
        }
        yield* audit.recordSystem(joined.org_id, { action: "user.provision", resource: `user/${id}`, after: joined })
        return [joined]
      }).pipe(sql.withTransaction, orDefect)

    const membershipsOf = (person: Person) =>
      Effect.flatMap(repo.memberships(person.iss, person.sub), (found) =>
        found.length > 0 ? Effect.succeed(found) : welcome(person)
      )

    /** The membership in which the person acts: in the organization that is asked for, else in the first joined. */
    const membership = (person: Person, wanted: string | undefined): Effect.Effect<Membership, Forbidden> =>
      Effect.gen(function* () {
        const all = yield* membershipsOf(person)
        const chosen = wanted === undefined ? all[0] : all.find(({ org_id }) => org_id === wanted)
        return chosen ?? (yield* all.length === 0 ? stranger : elsewhere)
      })

    return { membership } as const
  })
}) {}

/** The organization that a request asks to act in. */
export const wantedOrganization = (headers: Readonly<Record<string, string | undefined>>): OrganizationId | undefined =>
  headers["x-org-id"]?.trim().toLowerCase() as OrganizationId | undefined
