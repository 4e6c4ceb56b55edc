import { SqlClient } from "@effect/sql"
import { Effect, Schema, Stream } from "effect"
import { Forbidden } from "../domain/Errors.ts"
import type { UserId } from "../domain/Ids.ts"
import { PersonalData as Document } from "../domain/identity/PersonalData.ts"
import { LastOwner, userNotFound } from "../domain/identity/User.ts"
import { all, CurrentPrincipal, roleIncludes, scope, unrestricted, withPolicy } from "../domain/Principal.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { Audit } from "./Audit.ts"
import { AuditLog } from "./AuditLog.ts"
import { Authenticator } from "./Authenticator.ts"
import { DataKeys } from "./DataKeys.ts"
import { PersonalDataRepo } from "./PersonalDataRepo.ts"

const elsewhere = new Forbidden({
  detail: "they are in another organization too: only they themselves can ask for this"
})

const { audit_entries: _streamed, ...small } = Document.fields
const encode = Schema.encode(Schema.Struct(small))

/**
 * What is kept of a person, handed out and erased: to themselves, and to those who run the only
 * organization that they are in.
 */
export class PersonalData extends Effect.Service<PersonalData>()("identity/PersonalData", {
  dependencies: [PersonalDataRepo.Default, Audit.Default, AuditLog.Default, Authenticator.Default, DataKeys.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const repo = yield* PersonalDataRepo
    const audit = yield* Audit
    const log = yield* AuditLog
    const authenticator = yield* Authenticator
    const keys = yield* DataKeys
    const allowed = withPolicy(all(scope("users:write"), unrestricted))

    /** The person, when the caller may decide over their data; somebody of another organization is not there. */
    const reachable = (id: UserId) =>
      Effect.gen(function* () {
        const { org_id, user_id, role } = yield* CurrentPrincipal
        const profile = yield* repo.profile(id)
        const standing = yield* repo.standing(id)
        const here = standing.find((one) => one.org_id === org_id)
        if (profile === undefined || here === undefined) return yield* userNotFound(id)
        const isSelf = user_id === id
        if (!isSelf && standing.length > 1) return yield* elsewhere
        if (!isSelf && (role === null || !roleIncludes(role, here.role))) {
          return yield* new Forbidden({ detail: `their role, ${here.role}, is above your own` })
        }
        return { profile, standing, isSelf, org_id }
      })

    /** All of it as one JSON document, whose audit entries come as they are read. */
    const text = (id: UserId) =>
      Effect.gen(function* () {
        const { profile, isSelf, org_id } = yield* reachable(id)
        const [memberships, invitations, api_keys, sessions, traces] = yield* Effect.all([
          repo.memberOf(id),
          // Of what other organizations have, the person alone is told.
          repo.invited(profile.email, org_id),
          repo.keys(id, isSelf ? null : org_id),
          repo.uploaded(id, isSelf ? null : org_id),
          repo.traces(id)
        ])
        const head = yield* Effect.orDie(encode({ user: profile, memberships, invitations, api_keys, sessions }))
        const orgs = traces.filter((one) => isSelf || one.org_id === org_id)
        const entries = Stream.flatMap(Stream.fromIterable(orgs), (one) => log.by(one.org_id, `user/${id}`))
        return Stream.make(`${JSON.stringify(head).slice(0, -1)},"audit_entries":[`).pipe(
          Stream.concat(
            Stream.intersperse(
              Stream.map(entries, (entry) => JSON.stringify(entry)),
              ","
            )
          ),
          Stream.concat(Stream.make("]}")),
          Stream.encodeText
        )
      })

    const exported = Effect.fn("PersonalData.export")(function* (id: UserId) {
      return yield* Effect.zipLeft(text(id), audit.record({ action: "user.export", resource: `user/${id}` })).pipe(
        sql.withTransaction,
        orDefect
      )
    }, allowed)

    /**
     * Takes the person out of all that can be changed, and their key away from what cannot: the audit log
     * stays as it is, and nobody can read what was personal in it.
     */
    const erase = Effect.fn("PersonalData.erase")(function* (id: UserId) {
      yield* Effect.gen(function* () {
        yield* repo.lock(id)
        const { profile, standing, org_id } = yield* reachable(id)
        if (standing.some(({ role, owners }) => role === "owner" && owners < 2)) return yield* new LastOwner({ id })
        const entry = { action: "user.erase", resource: `user/${id}` }
        yield* audit.record(entry)
        const others = standing.filter((one) => one.org_id !== org_id)
        yield* Effect.forEach(others, (one) => audit.recordAs(id, one.org_id, entry), { discard: true })
        yield* repo.erase(id, profile.email)
        yield* keys.drop(id)
      }).pipe(sql.withTransaction, orDefect)
      yield* keys.forget(id)
      yield* authenticator.forgetAll
    }, allowed)

    return { export: exported, erase } as const
  })
}) {}
