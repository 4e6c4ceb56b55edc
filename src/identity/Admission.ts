import { Effect } from "effect"
import { type BadRequest, RateLimited, type Unauthorized } from "../domain/Errors.ts"
import type { RateGroup } from "../domain/identity/Quota.ts"
import type { Principal } from "../domain/Principal.ts"
import { Metrics } from "../telemetry/Metrics.ts"
import { AuthBackoff } from "./AuthBackoff.ts"
import { Authenticator, type RequestHeaders } from "./Authenticator.ts"
import * as KeyFormat from "./KeyFormat.ts"
import { Quotas } from "./Quotas.ts"
import { RateLimits, type Verdict } from "./RateLimits.ts"

/** A request as far as it decides who may make it. */
export interface Arriving {
  readonly headers: RequestHeaders
  readonly ip: string | null
  readonly group: RateGroup
  /** Told the header fields of the answer, whatever this comes to. */
  readonly answers: (headers: Verdict["headers"]) => void
}

const carriers = ["x-api-key", "api-key", "api_key", "mcp_client_id"] as const

const basicUser = (encoded: string): string | null => {
  try {
    return atob(encoded).split(":")[0] ?? null
  } catch {
    return null
  }
}

/** The client id of a request, where it has one: as a header, or as the user of HTTP Basic. */
const clientId = (headers: RequestHeaders): string | null => {
  const basic = /^basic +(\S+) *$/i.exec(headers["authorization"] ?? "")?.[1]
  return headers["mcp_client_id"] ?? (basic === undefined ? null : basicUser(basic))
}

/**
 * By which beginning a request's credential is counted; undefined where it carries none. Of what is no
 * key of ours it is null: signed tokens all begin alike.
 */
export const credentialPrefix = (headers: RequestHeaders): string | null | undefined => {
  const { authorization } = headers
  const key = headers["x-api-key"] ?? headers["api-key"] ?? authorization?.replace(/^bearer +/i, "")
  if (key?.startsWith("tp_") === true) return KeyFormat.prefix(key)
  if (authorization === undefined && carriers.every((name) => headers[name] === undefined)) return undefined
  return clientId(headers)?.slice(0, 64) ?? null
}

const mustWait = (wait_ms: number) => {
  const retry_after_s = Math.ceil(wait_ms / 1000)
  return new RateLimited({
    detail: `too many failed authentications; try again in ${retry_after_s} s`,
    limit: "authentication",
    retry_after_s
  })
}

/**
 * Lets a request in: back-off, authentication, quota, rate limits, in this order. One plain function,
 * for every protocol alike.
 */
export class Admission extends Effect.Service<Admission>()("identity/Admission", {
  dependencies: [Authenticator.Default, AuthBackoff.Default, RateLimits.Default, Quotas.Default, Metrics.Default],
  effect: Effect.gen(function* () {
    const { authenticate } = yield* Authenticator
    const backoff = yield* AuthBackoff
    const limits = yield* RateLimits
    const quotas = yield* Quotas
    const metrics = yield* Metrics

    const judged = ({ answers }: Arriving, { headers, refusal }: Verdict): Effect.Effect<void, RateLimited> => {
      answers(headers)
      return refusal === undefined ? Effect.void : Effect.fail(refusal)
    }

    /** Who was not let in counts on the limit of the address alone. */
    const counted = (arriving: Arriving) =>
      Effect.flatMap(limits.check({ ip: arriving.ip, group: arriving.group }), (verdict) => judged(arriving, verdict))

    const admitted = (arriving: Arriving, principal: Principal): Effect.Effect<Principal, RateLimited> => {
      const { ip, group } = arriving
      if (group === "none") return Effect.succeed(principal)
      return Effect.flatMap(quotas.check(principal.org_id, "requests"), () => {
        // At once, so that no other request sees the same room; what is refused gives it back.
        quotas.count(principal.org_id, "requests", 1)
        return Effect.flatMap(limits.check({ principal, ip, group }), (verdict) => {
          if (verdict.refusal !== undefined) quotas.count(principal.org_id, "requests", -1)
          return Effect.as(judged(arriving, verdict), principal)
        })
      })
    }

    const admit = (arriving: Arriving): Effect.Effect<Principal, Unauthorized | BadRequest | RateLimited> =>
      Effect.suspend(() => {
        const { ip, headers } = arriving
        const prefix = credentialPrefix(headers)
        const presented = { ip, prefix: prefix ?? null }
        const wait_ms = prefix === undefined ? 0 : backoff.check(presented)
        if (wait_ms > 0) {
          metrics.rateLimited.inc({ limit: "authentication" })
          return Effect.fail(mustWait(wait_ms))
        }
        const over = limits.refusedAddress(ip)
        if (over !== undefined && arriving.group !== "none") {
          arriving.answers(over.headers)
          return Effect.fail(over.refusal)
        }
        return authenticate(headers).pipe(
          Effect.tapErrorTag("Unauthorized", () =>
            Effect.zipRight(prefix === undefined ? Effect.void : backoff.failed(presented), counted(arriving))
          ),
          Effect.flatMap((principal) => Effect.zipRight(backoff.succeeded(presented), admitted(arriving, principal)))
        )
      })

    return { admit } as const
  })
}) {}
