import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import { Forbidden } from "../domain/Errors.ts"
import { OrganizationId } from "../domain/Ids.ts"
import { Settings } from "../platform/Settings.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import type { AutoProvision } from "../platform/settings/LoginSettings.ts"
import { Audit } from "./Audit.ts"
import { Invitations } from "./Invitations.ts"
import { LoginsRepo, type Membership } from "./LoginsRepo.ts"
import { type Person, verifiedEmail } from "./Person.ts"

const stranger = new Forbidden({
  detail:
    "you are a member of no organization here; ask an administrator for an invitation to your verified e-mail address"
})

const elsewhere = new Forbidden({ detail: "you are no member of the organization that X-Org-Id names" })

/** A rule names an organization that is not there. */
class OrganizationMissing extends Schema.TaggedError<OrganizationMissing>("identity/OrganizationMissing")(
  "OrganizationMissing",
  { organization: Schema.String }
) {
  override get message() {
    return `AUTH_AUTO_PROVISION names the organization ${this.organization}, which is not there`
  }
}

const isOrganizationId = Schema.is(OrganizationId)
const nobodys = OrganizationId.make("00000000-0000-0000-0000-000000000000")

/** What a display name can be. */
const shown = (text: string) => [...text.toWellFormed().replaceAll("\u0000", "")].slice(0, 200).join("") || "?"

/** People who come with another issuer's word: who they are here, and in which organization they act. */
export class Logins extends Effect.Service<Logins>()("identity/Logins", {
  dependencies: [LoginsRepo.Default, Invitations.Default, Audit.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const repo = yield* LoginsRepo
    const audit = yield* Audit
    const invitations = yield* Invitations
    const { login } = yield* Settings

    /** The rule that makes somebody of this address a member when they are seen for the first time. */
    const ruleFor = (email: string) => {
      const domain = email.split("@").at(-1)
      return login.auto_provision.find((one) => one.domain === domain)
    }

    const userOf = (person: Person, email: string) =>
      repo.userOf({ issuer: person.iss, subject: person.sub, display_name: shown(person.name ?? email), email })

    /** A user and their membership at once: whoever sees the one sees the other. */
    const provision = (person: Person, email: string, { organization, role }: AutoProvision) =>
      Effect.gen(function* () {
        const { id } = yield* userOf(person, email)
        const joined = yield* repo.join(id, organization, role)
        if (joined === undefined) return yield* new OrganizationMissing({ organization })
        yield* audit.recordAs(id, joined.org_id, { action: "user.provision", resource: `user/${id}`, after: joined })
      }).pipe(
        sql.withTransaction,
        orDefect,
        Effect.catchTag("OrganizationMissing", ({ message }) => Effect.logWarning(message))
      )

    /**
     * Makes the person what open invitations to their verified address say; and, when they were never
     * seen before, what AUTH_AUTO_PROVISION says: somebody who was removed is not let in again by it.
     */
    const welcome = (person: Person) =>
      Effect.gen(function* () {
        const email = verifiedEmail(person)
        if (email === undefined) return
        const rule = (yield* repo.isKnown(person.iss, person.sub)) ? undefined : ruleFor(email)
        if (rule !== undefined) yield* provision(person, email, rule)
        if ((yield* invitations.pendingFor(email)).length === 0) return
        const { id } = yield* userOf(person, email)
        yield* invitations.acceptFor(email, id)
      })

    const membershipsOf = (person: Person) =>
      Effect.gen(function* () {
        const found = yield* repo.memberships(person.iss, person.sub)
        if (found.length > 0) return found
        yield* welcome(person)
        return yield* repo.memberships(person.iss, person.sub)
      })

    /** The membership in which the person acts: in the organization that is asked for, else in the first joined. */
    const membership = (person: Person, wanted: string | undefined): Effect.Effect<Membership, Forbidden> =>
      Effect.gen(function* () {
        const all = yield* membershipsOf(person)
        const chosen = wanted === undefined ? all[0] : all.find(({ org_id }) => org_id === wanted)
        return chosen ?? (yield* all.length === 0 ? stranger : elsewhere)
      })

    return { welcome, membership } as const
  })
}) {}

/** The organization that a request asks to act in. */
export const wantedOrganization = (
  headers: Readonly<Record<string, string | undefined>>
): OrganizationId | undefined => {
  const named = headers["x-org-id"]?.trim().toLowerCase()
  if (named === undefined) return undefined
  // What is no id is nobody's organization: the answer is the same as for one that is not there.
  return isOrganizationId(named) ? named : nobodys
}
