import { Effect } from "effect"
import { RateLimited } from "../domain/Errors.ts"
import type { RateGroup } from "../domain/identity/Quota.ts"
import type { Principal } from "../domain/Principal.ts"
import { Metrics } from "../telemetry/Metrics.ts"
import { AuthBackoff, type Presented } from "./AuthBackoff.ts"
import { type AuthenticationFailure, Authenticator } from "./Authenticator.ts"
import { type Credential, plainKey, presentedCredential, type RequestHeaders } from "./Credentials.ts"
import * as KeyFormat from "./KeyFormat.ts"
import { wantedOrganization } from "./Logins.ts"
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

/** By which beginning a credential is counted; null: by none, as signed tokens all begin alike. */
const prefixOf = (credential: Credential): string | null => {
  switch (credential.kind) {
    case "api_key":
      return KeyFormat.prefix(credential.key)
    case "client_secret":
      return credential.client_id.slice(0, 64)
    case "token":
      return null
  }
}

/** Why a request is not let in. */
export type AdmissionFailure = AuthenticationFailure | RateLimited

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
    const { identify, recall } = yield* Authenticator
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
      const within = quotas.check(principal.org_id, "requests")
      const taken = () => {
        // At once, so that no other request sees the same room; what is refused gives it back.
        quotas.count(principal.org_id, "requests", 1)
        return Effect.flatMap(limits.check({ principal, ip, group }), (verdict) => {
          if (verdict.refusal !== undefined) quotas.count(principal.org_id, "requests", -1)
          arriving.answers(verdict.headers)
          return verdict.refusal === undefined ? Effect.succeed(principal) : Effect.fail(verdict.refusal)
        })
      }
      return within === Effect.void ? taken() : Effect.flatMap(within, taken)
    }

    /** Fails where the caller has to wait, before anything is looked at. */
    const mayTry = (arriving: Arriving, presented: Presented): Effect.Effect<void, RateLimited> => {
      const wait_ms = backoff.check(presented)
      if (wait_ms > 0) {
        metrics.rateLimited.inc({ limit: "authentication" })
        return Effect.fail(mustWait(wait_ms))
      }
      const over = limits.refusedAddress(arriving.ip)
      if (over === undefined || arriving.group === "none") return Effect.void
      arriving.answers(over.headers)
      return Effect.fail(over.refusal)
    }

    const identified = (arriving: Arriving, credential: Credential): Effect.Effect<Principal, AdmissionFailure> =>
      Effect.suspend(() => {
        const presented = { ip: arriving.ip, prefix: prefixOf(credential) }
        return Effect.zipRight(
          mayTry(arriving, presented),
          identify(credential, wantedOrganization(arriving.headers)).pipe(
            Effect.tapErrorCause(() => counted(arriving)),
            Effect.tapErrorTag("Unauthorized", () => backoff.failed(presented)),
            Effect.flatMap((principal) => Effect.zipRight(backoff.succeeded(presented), admitted(arriving, principal)))
          )
        )
      })

    /** The same as below for a key that is known, by as few effects as can be; undefined where it takes more. */
    const admitKnown = (arriving: Arriving): Effect.Effect<Principal, RateLimited> | undefined => {
      const key = arriving.headers["x-org-id"] === undefined ? plainKey(arriving.headers) : undefined
      const principal = key === undefined ? undefined : recall(key)
      if (key === undefined || principal === undefined) return undefined
      const presented = { ip: arriving.ip, prefix: KeyFormat.prefix(key) }
      if (backoff.check(presented) > 0 || limits.refusedAddress(arriving.ip) !== undefined) return undefined
      const noted = backoff.succeeded(presented)
      const within = admitted(arriving, principal)
      return noted === Effect.void ? within : Effect.zipRight(noted, within)
    }

    /** Who makes the request, when it is let in. */
    const admit = (arriving: Arriving): Effect.Effect<Principal, AdmissionFailure> =>
      admitKnown(arriving) ??
      Effect.matchEffect(presentedCredential(arriving.headers), {
        onFailure: (failure) => Effect.zipRight(counted(arriving), Effect.fail(failure)),
        onSuccess: (credential) => identified(arriving, credential)
      })

    /** Lets in what carries its credential in the body, such as a token request: its failures count like others. */
    const admitBody = <A, E extends { readonly _tag: string }, R>(
      arriving: Arriving,
      prefix: string | null,
      self: Effect.Effect<A, E, R>
    ): Effect.Effect<A, E | RateLimited, R> =>
      Effect.suspend(() => {
        const presented = { ip: arriving.ip, prefix }
        return mayTry(arriving, presented).pipe(
          Effect.zipRight(counted(arriving)),
          Effect.zipRight(self),
          Effect.tap(() => backoff.succeeded(presented)),
          Effect.tapError(({ _tag }) =>
            _tag === "Unauthorized" || _tag === "TokenRefused" ? backoff.failed(presented) : Effect.void
          )
        )
      })

    return { admit, admitBody } as const
  })
}) {}
