import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import type { Action, CreateAction } from "../domain/capability/Action.ts"
import { CreateSuite, type Suite, SuiteNameTaken } from "../domain/capability/Suite.ts"
import { AppliedSuite, type PutSuite } from "../domain/capability/Surface.ts"
import { ActionId } from "../domain/Ids.ts"
import { CurrentPrincipal, scope, unrestricted, withPolicy } from "../domain/Principal.ts"
import { Audit } from "../identity/Audit.ts"
import { Id } from "../platform/Id.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { ActionsRepo } from "./ActionsRepo.ts"
import { ActionWrites } from "./ActionWrites.ts"
import { difference, isEmpty } from "./Difference.ts"
import { SuiteModels } from "./SuiteModels.ts"
import { SuitesRepo } from "./SuitesRepo.ts"

const parameters = ({ parameters }: CreateAction | Action) =>
  JSON.stringify(parameters.map(({ name, type, required, description }) => [name, type, required, description]))

const sameAction = (before: Action, after: CreateAction) =>
  before.description === after.description && parameters(before) === parameters(after)

const sameSuite = (before: Suite, after: CreateSuite) =>
  before.description === after.description &&
  before.version === after.version &&
  before.base_url === after.base_url &&
  before.on_upload?.model_id === after.on_upload?.model_id

/** Suites with all their actions, made to equal what they shall be. */
export class SuiteSurfaces extends Effect.Service<SuiteSurfaces>()("capability/SuiteSurfaces", {
  dependencies: [SuitesRepo.Default, SuiteModels.Default, ActionsRepo.Default, ActionWrites.Default, Audit.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const suites = yield* SuitesRepo
    const actions = yield* ActionsRepo
    const writes = yield* ActionWrites
    const audit = yield* Audit
    const models = yield* SuiteModels

    const named = (name: string) => Effect.flatMap(CurrentPrincipal, (principal) => suites.lockNamed(principal, name))

    /** The suite of that name under its lock, made when there is none. */
    const ensured = (wanted: CreateSuite) =>
      Effect.gen(function* () {
        const { org_id } = yield* CurrentPrincipal
        const found = yield* named(wanted.name)
        if (found !== undefined) return { suite: found, created: false }
        yield* unrestricted
        const made = yield* suites.insertNew(org_id, wanted)
        if (made !== undefined) return { suite: made, created: true }
        // Another request made it in between; it is committed, and can be locked and read now.
        const other = yield* named(wanted.name)
        if (other === undefined) return yield* new SuiteNameTaken({ name: wanted.name })
        return { suite: other, created: false }
      })

    /** Makes a suite and its actions equal to the body; the same body twice changes nothing. */
    const put = Effect.fn("SuiteSurfaces.put")(
      function* ({ actions: wanted, on_upload = null, ...rest }: PutSuite) {
        const fields = { ...rest, on_upload }
        return yield* Effect.gen(function* () {
          const principal = yield* CurrentPrincipal
          yield* models.assertUsable(fields.on_upload)
          const { suite: before, created } = yield* ensured(new CreateSuite(fields))
          const of = { org_id: principal.org_id, suite_id: before.id }
          const old = yield* actions.all(of)
          const change = difference(old, wanted, sameAction)
          const same = sameSuite(before, fields)
          if (!created && same && isEmpty(change)) {
            return new AppliedSuite({ ...before, actions: old, change: "unchanged" })
          }
          yield* writes.remove(of, change.removed)
          yield* writes.save(of, old, [
            ...change.changed.map(({ before, after }) => ({ ...after, id: before.id })),
            ...change.added.map((action) => ({ ...action, id: ActionId.make(id.next()) }))
          ])
          const after = (created ? undefined : yield* suites.update(principal, before.id, fields)) ?? before
          const applied = new AppliedSuite({
            ...after,
            actions: yield* actions.all(of),
            change: created ? "created" : "updated"
          })
          yield* audit.record({
            action: created ? "suite.create" : "suite.update",
            resource: `suite/${before.id}`,
            ...(created ? {} : { before: { ...before, actions: old } }),
            after: applied
          })
          return applied
        }).pipe(sql.withTransaction, orDefect)
      },
      withPolicy(scope("suites:write"))
    )

    return { put } as const
  })
}) {}
