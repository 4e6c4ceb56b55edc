import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { type CreateSuite, type Suite, suiteNotFound, type UpdateSuite } from "../domain/capability/Suite.ts"
import type { SuiteId } from "../domain/Ids.ts"
import { all, CurrentPrincipal, scope, unrestricted, withPolicy } from "../domain/Principal.ts"
import { Audit } from "../identity/Audit.ts"
import * as Keyset from "../platform/Keyset.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { MapUses } from "./MapUses.ts"
import { SuiteModels } from "./SuiteModels.ts"
import { SuitesRepo } from "./SuitesRepo.ts"

/** Suites: the applications that people use. */
export class Suites extends Effect.Service<Suites>()("capability/Suites", {
  dependencies: [SuitesRepo.Default, SuiteModels.Default, MapUses.Default, Audit.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const repo = yield* SuitesRepo
    const uses = yield* MapUses
    const onUpload = yield* SuiteModels
    const audit = yield* Audit
    const read = withPolicy(scope("suites:read"))
    const write = withPolicy(scope("suites:write"))

    const existing = (id: SuiteId) =>
      Effect.flatMap(CurrentPrincipal, (principal) =>
        Effect.flatMap(repo.find(principal, id), (suite) =>
          suite === undefined ? suiteNotFound(id) : Effect.succeed(suite)
        )
      )

    const create = Effect.fn("Suites.create")(
      function* (wanted: CreateSuite) {
        const { org_id } = yield* CurrentPrincipal
        yield* onUpload.assertUsable(wanted.on_upload)
        return yield* Effect.tap(repo.insert(org_id, wanted), (suite) =>
          audit.record({ action: "suite.create", resource: `suite/${suite.id}`, after: suite })
        ).pipe(sql.withTransaction, orDefect)
      },
      withPolicy(all(scope("suites:write"), unrestricted))
    )

    const list = Effect.fn("Suites.list")(function* (query: {
      readonly limit: number
      readonly cursor?: string
      readonly q?: string
    }) {
      const keyset = yield* Keyset.position(query.cursor)
      return Keyset.page(yield* repo.list(yield* CurrentPrincipal, query, keyset, query.limit), query.limit)
    }, read)

    const get = Effect.fn("Suites.get")(existing, read)

    const update = Effect.fn("Suites.update")(function* (id: SuiteId, change: UpdateSuite) {
      return yield* Effect.gen(function* () {
        const before = yield* existing(id)
        yield* onUpload.assertUsable(change.on_upload)
        if (Object.keys(change).length === 0) return before
        const suite: Suite | undefined = yield* repo.update(yield* CurrentPrincipal, id, change)
        if (suite === undefined) return yield* suiteNotFound(id)
        yield* audit.record({ action: "suite.update", resource: `suite/${id}`, before, after: suite })
        return suite
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    const remove = Effect.fn("Suites.delete")(function* (id: SuiteId) {
      yield* Effect.gen(function* () {
        const principal = yield* CurrentPrincipal
        const before = (yield* repo.lock(principal, id)) ?? (yield* suiteNotFound(id))
        yield* uses.suite(principal.org_id, id)
        yield* repo.remove(principal, id)
        yield* audit.record({ action: "suite.delete", resource: `suite/${id}`, before })
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    /** Fails unless the caller can see the suite; asks for no scope of its own. */
    const assertVisible = (id: SuiteId) => Effect.asVoid(existing(id))

    return { create, list, get, update, delete: remove, assertVisible } as const
  })
}) {}
