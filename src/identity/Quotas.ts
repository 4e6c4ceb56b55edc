import { SqlClient } from "@effect/sql"
import { DateTime, Duration, Effect, Schedule } from "effect"
import { NotFound, RateLimited, ValidationError } from "../domain/Errors.ts"
import type { OrganizationId } from "../domain/Ids.ts"
import {
  Quota,
  type QuotaKind,
  QuotaList,
  type QuotaWindow,
  quotaWindows,
  windowBegin,
  windowEnd
} from "../domain/identity/Quota.ts"
import { CurrentPrincipal, scope, withPolicy } from "../domain/Principal.ts"
import { Settings } from "../platform/Settings.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { Metrics } from "../telemetry/Metrics.ts"
import { Audit } from "./Audit.ts"
import { type Ceiling, QuotasRepo, type Usage } from "./QuotasRepo.ts"

/** How often what was counted is written, and what other nodes counted is read. */
const EVERY = Duration.seconds(2)
/** How often windows of more than 400 days ago are removed. */
const FORGET_EVERY = Duration.hours(24)
/** An organization that nobody asked for so long is not read any more. */
const IDLE_MS = Duration.toMillis("2 minutes")
/** How long the sum of an organization's sessions is taken for what it was. */
const BYTES_MS = Duration.toMillis("10 seconds")
/** What is full of bytes has no moment when it is not: it is worth another look after this. */
const STORED_RETRY_S = 3600

/** What this node knows of an organization. */
interface Known {
  readonly ceilings: ReadonlyArray<Ceiling>
  readonly usage: ReadonlyArray<Usage>
  /** Counted here, and not written yet. */
  readonly pending: Map<QuotaKind, number>
  asked_at: number
  bytes: { readonly used: number; readonly read_at: number } | undefined
}

const nouns: Record<QuotaKind, string> = {
  requests: "requests",
  tool_calls: "tool calls",
  tokens: "tokens",
  bytes_stored: "bytes stored"
}

/**
 * Quotas of organizations. Nothing waits for a count: amounts are added up in memory and written every
 * two seconds, and at a stop. So a quota is exceeded by at most what all nodes together let through in
 * two seconds, and a node that is killed forgets what it counted in its last two.
 */
export class Quotas extends Effect.Service<Quotas>()("identity/Quotas", {
  dependencies: [QuotasRepo.Default, Audit.Default, Metrics.Default],
  scoped: Effect.gen(function* () {
    const repo = yield* QuotasRepo
    const audit = yield* Audit
    const metrics = yield* Metrics
    const sql = yield* SqlClient.SqlClient
    const { limits } = yield* Settings
    const clock = yield* Effect.clock
    const known = new Map<OrganizationId, Known>()
    /** Counted for organizations whether or not they are known. */
    const counted = new Map<OrganizationId, Map<QuotaKind, number>>()

    // Two at once would write the same amounts.
    const one = yield* Effect.makeSemaphore(1)

    const pendingOf = (org_id: OrganizationId) => {
      const found = counted.get(org_id)
      if (found !== undefined) return found
      const made = new Map<QuotaKind, number>()
      counted.set(org_id, made)
      return made
    }

    /** Adds an amount to what the organization has used; it is written soon. */
    const count = (org_id: OrganizationId, kind: QuotaKind, amount: number): void => {
      const pending = pendingOf(org_id)
      pending.set(kind, (pending.get(kind) ?? 0) + amount)
    }

    const written = (rows: ReadonlyArray<Usage>) => {
      for (const row of rows) {
        const org = known.get(row.org_id)
        if (org === undefined) continue
        const others = org.usage.filter(({ kind, window }) => kind !== row.kind || window !== row.window)
        known.set(row.org_id, { ...org, usage: [...others, row] })
      }
    }

    /** Writes what was counted. What cannot be written now is written later. */
    const flush = Effect.suspend(() => {
      const amounts = [...counted].flatMap(([org_id, kinds]) =>
        [...kinds].flatMap(([kind, used]) => (kind === "bytes_stored" || used <= 0 ? [] : [{ org_id, kind, used }]))
      )
      if (amounts.length === 0) return Effect.void
      return Effect.map(repo.add(amounts), (rows) => {
        // Until now it counted as pending, as does what came meanwhile.
        for (const { org_id, kind, used } of amounts) count(org_id, kind, -used)
        written(rows)
      })
    }).pipe(one.withPermits(1))

    const read = (org_ids: ReadonlyArray<OrganizationId>) =>
      Effect.map(Effect.zip(repo.ceilings(org_ids), repo.usage(org_ids)), ([ceilings, usage]) => {
        const now = clock.unsafeCurrentTimeMillis()
        const ceilingsOf = Map.groupBy(ceilings, ({ org_id }) => org_id)
        const usageOf = Map.groupBy(usage, ({ org_id }) => org_id)
        for (const org_id of org_ids) {
          const before = known.get(org_id)
          known.set(org_id, {
            ceilings: ceilingsOf.get(org_id) ?? [],
            usage: usageOf.get(org_id) ?? [],
            pending: pendingOf(org_id),
            asked_at: before?.asked_at ?? now,
            bytes: before?.bytes
          })
        }
      })

    /** What is done again and again: writes what was counted, reads what others did, forgets who is idle. */
    const round = Effect.gen(function* () {
      yield* flush
      const now = clock.unsafeCurrentTimeMillis()
      for (const [org_id, { asked_at }] of known) {
        if (now - asked_at < IDLE_MS || [...pendingOf(org_id).values()].some((amount) => amount > 0)) continue
        known.delete(org_id)
        counted.delete(org_id)
      }
      if (known.size > 0) yield* read([...known.keys()])
    })

    const quiet = (effect: Effect.Effect<unknown>) =>
      Effect.catchAllDefect(Effect.asVoid(effect), (defect) =>
        Effect.logWarning("quotas could not be written or read; they are counted on", defect)
      )

    const ceilingOf = ({ ceilings }: Pick<Known, "ceilings">, kind: QuotaKind, window: QuotaWindow): number | null => {
      const own = ceilings.find((row) => row.kind === kind && row.window === window)
      if (own !== undefined) return own.ceiling
      return kind === "requests" && window === "day" ? limits.requests_per_day : null
    }

    const usedOf = ({ usage, pending }: Known, kind: QuotaKind, window: QuotaWindow, now: number): number => {
      const begins = windowBegin(window, now)
      const row = usage.find((one) => one.kind === kind && one.window === window && one.begins === begins)
      return (row?.used ?? 0) + Math.max(0, pending.get(kind) ?? 0)
    }

    const exceeded = (kind: QuotaKind, window: QuotaWindow, ceiling: number, now: number) => {
      const limit = `quota:${kind}/${window}`
      const end = windowEnd(window, now)
      metrics.rateLimited.inc({ limit })
      const until = end === null ? "something is deleted" : new Date(end).toISOString()
      return new RateLimited({
        detail: `the organization's quota of ${ceiling} ${nouns[kind]}${window === "total" ? "" : ` a ${window}`} is used up until ${until}`,
        limit,
        retry_after_s: end === null ? STORED_RETRY_S : Math.max(1, Math.ceil((end - now) / 1000))
      })
    }

    const judged = (org: Known, kind: QuotaKind, amount: number, now: number): Effect.Effect<void, RateLimited> => {
      for (const window of ["day", "month"] as const) {
        const ceiling = ceilingOf(org, kind, window)
        if (ceiling !== null && usedOf(org, kind, window, now) + amount > ceiling) {
          return exceeded(kind, window, ceiling, now)
        }
      }
      return Effect.void
    }

    const judgedBytes = (org_id: OrganizationId, org: Known, amount: number, now: number) =>
      Effect.gen(function* () {
        const ceiling = ceilingOf(org, "bytes_stored", "total")
        if (ceiling === null) return
        if (org.bytes === undefined || now - org.bytes.read_at >= BYTES_MS) {
          org.bytes = { used: yield* repo.bytesStored(org_id), read_at: now }
          org.pending.delete("bytes_stored")
        }
        const used = org.bytes.used + (org.pending.get("bytes_stored") ?? 0)
        if (used + amount > ceiling) return yield* exceeded("bytes_stored", "total", ceiling, now)
      })

    /**
     * Fails when the organization cannot use so much more of a kind. It counts nothing.
     * @param amount what is about to be used, as far as it is known
     */
    const check = (org_id: OrganizationId, kind: QuotaKind, amount = 1): Effect.Effect<void, RateLimited> => {
      const now = clock.unsafeCurrentTimeMillis()
      const org = known.get(org_id)
      if (org === undefined) {
        // A database that is away is not the reason to refuse: what is asked for will say so.
        return Effect.flatMap(quiet(read([org_id])), () =>
          known.has(org_id) ? check(org_id, kind, amount) : Effect.void
        )
      }
      org.asked_at = now
      return kind === "bytes_stored" ? judgedBytes(org_id, org, amount, now) : judged(org, kind, amount, now)
    }

    /** The caller's quotas, and what is used of them on all nodes, this one's last seconds included. */
    const list = Effect.fn("Quotas.list")(
      function* () {
        const { org_id } = yield* CurrentPrincipal
        yield* quiet(flush)
        yield* read([org_id])
        const bytes = yield* repo.bytesStored(org_id)
        const now = clock.unsafeCurrentTimeMillis()
        const org = known.get(org_id)
        const items = quotaWindows.map(({ kind, window }) => {
          const end = windowEnd(window, now)
          return new Quota({
            kind,
            window,
            ceiling: org === undefined ? null : ceilingOf(org, kind, window),
            used: kind === "bytes_stored" || org === undefined ? bytes : usedOf(org, kind, window, now),
            resets_at: end === null ? null : DateTime.unsafeMake(end)
          })
        })
        return new QuotaList({ items })
      },
      withPolicy(scope("organizations:read"))
    )

    /**
     * Gives an organization a quota of its own, for the operator: nobody raises their own.
     * @param ceiling the most; null: none at all; undefined: what the configuration says
     */
    const set = Effect.fn("Quotas.set")(function* (
      slug: string,
      { kind, window }: { readonly kind: QuotaKind; readonly window: QuotaWindow },
      ceiling: number | null | undefined
    ) {
      if (!quotaWindows.some((one) => one.kind === kind && one.window === window)) {
        const possible = quotaWindows.flatMap((one) => (one.kind === kind ? [one.window] : []))
        return yield* new ValidationError({ detail: `${kind} are counted by ${possible.join(" and ")}` })
      }
      const organization = yield* repo.bySlug(slug)
      if (organization === undefined) return yield* new NotFound({ detail: `there is no organization ${slug}` })
      const quota = { org_id: organization.id, kind, window }
      yield* Effect.gen(function* () {
        const [before] = (yield* repo.ceilings([quota.org_id])).filter(
          (row) => row.kind === kind && row.window === window
        )
        const after = yield* ceiling === undefined ? repo.unset(quota) : repo.set({ ...quota, ceiling })
        yield* audit.recordSystem(quota.org_id, {
          action: "quota.set",
          resource: `organization/${quota.org_id}`,
          before,
          after: ceiling === undefined ? undefined : after
        })
      }).pipe(sql.withTransaction, orDefect)
    })

    yield* Effect.forkScoped(Effect.repeat(quiet(round), Schedule.spaced(EVERY)))
    yield* Effect.forkScoped(Effect.repeat(quiet(repo.forget), Schedule.spaced(FORGET_EVERY)))
    yield* Effect.addFinalizer(() => quiet(flush))

    return { count, check, list, set } as const
  })
}) {}
