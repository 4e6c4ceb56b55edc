import { Duration, Effect, Schedule } from "effect"
import type { OrganizationId, UserId } from "../domain/Ids.ts"
import type { Principal } from "../domain/Principal.ts"
import { RequestInfo } from "../domain/RequestInfo.ts"
import { Audit } from "./Audit.ts"

/** What was refused to whom. */
interface Refused {
  readonly org_id: OrganizationId
  /** `user/<id>`, `agent/<id>`, or `api_key/<id>` where nobody proved to be its owner. */
  readonly actor: string
  /** Whose key encrypts where it came from; null: the organization's. */
  readonly user_id: UserId | null
  readonly action: "auth.fail" | "access.deny"
  readonly resource: string
  readonly reason: string
}

/** A refusal that came again, and how often since it was written. */
interface Repeated {
  readonly refused: Refused
  readonly request: typeof RequestInfo.Service
  count: number
}

/** The same is written once in this time, however often it comes; then once more with how often that was. */
const span = Duration.minutes(1)

/** So many different refusals of an organization are written in that time; the rest are counted together. */
const mostOfOrganization = 60
const mostOrganizations = 10_000

const sameAs = ({ actor, action, resource, reason }: Refused, { ip }: typeof RequestInfo.Service) =>
  `${actor}|${action}|${resource}|${reason}|${ip}`

const others = "others"

const times = (count: number) => (count === 1 ? "once more" : `${count} more times`)

/**
 * Writes refusals into the audit log: failed authentications and denied accesses, each with its reason.
 * They change nothing, and anybody can cause as many as they like: so what repeats itself is counted, and
 * written once a minute.
 */
export class Refusals extends Effect.Service<Refusals>()("identity/Refusals", {
  dependencies: [Audit.Default],
  scoped: Effect.gen(function* () {
    const audit = yield* Audit
    let recent = new Map<OrganizationId, Map<string, Repeated>>()

    const write = ({ org_id, actor, user_id, action, resource, reason }: Refused) =>
      audit.recordRefusal({ org_id, actor, user_id }, { action, resource, detail: reason.slice(0, 400) }).pipe(
        // The refusal stands, whether it can be written or not.
        Effect.catchAllDefect((defect) => Effect.logWarning("a refusal could not be written to the audit log", defect))
      )

    /** True when it is the first of its kind for a while, and is to be written now. */
    const isNew = (refused: Refused, request: typeof RequestInfo.Service): boolean => {
      const ofOrganization = recent.get(refused.org_id) ?? new Map<string, Repeated>()
      if (recent.size >= mostOrganizations && !recent.has(refused.org_id)) return false
      recent.set(refused.org_id, ofOrganization)
      const same = sameAs(refused, request)
      const known = ofOrganization.get(same)
      if (known !== undefined) known.count += 1
      else if (ofOrganization.size < mostOfOrganization) ofOrganization.set(same, { refused, request, count: 0 })
      else {
        const rest = ofOrganization.get(others)
        const reason = "further refusals of other kinds"
        if (rest === undefined) ofOrganization.set(others, { refused: { ...refused, reason }, request, count: 1 })
        else rest.count += 1
      }
      return known === undefined && ofOrganization.has(same)
    }

    const refuse = (refused: Refused) =>
      Effect.flatMap(RequestInfo, (request) => (isNew(refused, request) ? write(refused) : Effect.void))

    const flush = Effect.suspend(() => {
      const repeated = [...recent.values()].flatMap((kinds) => [...kinds.values()]).filter(({ count }) => count > 0)
      recent = new Map()
      return Effect.forEach(
        repeated,
        ({ refused, request, count }) =>
          write({ ...refused, reason: `${refused.reason} (${times(count)})` }).pipe(
            Effect.provideService(RequestInfo, request)
          ),
        { discard: true }
      )
    })
    yield* Effect.forkScoped(Effect.delay(Effect.repeat(flush, Schedule.spaced(span)), span))
    yield* Effect.addFinalizer(() => flush)

    /**
     * Somebody showed a credential that is known and does not do: expired, revoked, with a wrong secret.
     * @param credential `api_key/<id>`, `agent/<id>`, …: what was shown, not who showed it
     * @param user_id its owner, where that is known
     */
    const authentication = (failed: {
      readonly org_id: OrganizationId
      readonly credential: string
      readonly user_id: UserId | null
      readonly reason: string
    }) =>
      refuse({
        org_id: failed.org_id,
        actor: failed.credential,
        user_id: failed.user_id,
        action: "auth.fail",
        resource: failed.credential,
        reason: failed.reason
      })

    /**
     * A principal asked for more than it may.
     * @param resource what was asked for: `endpoint/<path template>`
     */
    const access = ({ org_id, user_id, agent_id }: Principal, resource: string, reason: string) =>
      refuse({
        org_id,
        actor: user_id === null ? `agent/${agent_id}` : `user/${user_id}`,
        user_id,
        action: "access.deny",
        resource,
        reason
      })

    return { authentication, access, flush } as const
  })
}) {}
