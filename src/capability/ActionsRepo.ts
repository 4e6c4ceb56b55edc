import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { Action, ActionNameTaken, type Parameter } from "../domain/capability/Action.ts"
import type { ActionId, OrganizationId, SuiteId } from "../domain/Ids.ts"
import type { Keyset as Position } from "../domain/Page.ts"
import { Id } from "../platform/Id.ts"
import * as Keyset from "../platform/Keyset.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect, violates } from "../platform/SqlFailure.ts"

/** Which suite's actions; that the caller may see it was found out before. */
export interface OfSuite {
  readonly org_id: OrganizationId
  readonly suite_id: SuiteId
}

export interface ActionRow {
  readonly id: ActionId
  readonly name: string
  readonly description: string
  readonly parameters: ReadonlyArray<typeof Parameter.Encoded>
}

const Positioned = Keyset.Positioned(Action.fields)

/** Rows of `actions` and `action_parameters`. */
export class ActionsRepo extends Effect.Service<ActionsRepo>()("capability/ActionsRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const columns = sql`id, suite_id, name, description, created_at, updated_at,
      (select coalesce(json_agg(json_build_object('name', p.name, 'type', p.type, 'required', p.required,
          'description', p.description) order by p.position), '[]')
        from action_parameters p where p.org_id = actions.org_id and p.action_id = actions.id) as parameters`
    const within = ({ org_id, suite_id }: OfSuite) => sql`org_id = ${org_id} and suite_id = ${suite_id}`

    const list = (
      suite: OfSuite,
      filter: { readonly q?: string | undefined },
      keyset: Position | undefined,
      limit: number
    ) =>
      Rows.all(
        Positioned,
        sql`select ${columns}, ${Keyset.position_at(sql)} from actions
          where ${within(suite)} and ${Keyset.after(sql, keyset)}
            and ${filter.q === undefined ? sql`true` : sql`position(lower(${filter.q}) in lower(name || ' ' || description)) > 0`}
          order by created_at desc, id desc limit ${limit + 1}`
      )

    /** Every action of a suite, oldest first. */
    const all = (suite: OfSuite) =>
      Rows.all(Action, sql`select ${columns} from actions where ${within(suite)} order by created_at, id`)

    const find = (suite: OfSuite, action_id: ActionId) =>
      Rows.first(Action, sql`select ${columns} from actions where ${within(suite)} and id = ${action_id}`)

    /** Inserts and updates actions by their id, with exactly these parameters. */
    const save = (suite: OfSuite, actions: ReadonlyArray<ActionRow>) => {
      const parameters = actions.flatMap((action) =>
        action.parameters.map((parameter, position) => ({
          id: id.next(),
          action_id: action.id,
          position,
          ...parameter
        }))
      )
      const rows = sql`jsonb_to_recordset(${JSON.stringify(parameters)}::jsonb) as r(id uuid, action_id uuid,
        name text, type text, required boolean, description text, position integer)`
      return Effect.gen(function* () {
        yield* sql`
          insert into actions (id, org_id, suite_id, name, description)
          select a.id, ${suite.org_id}::uuid, ${suite.suite_id}::uuid, a.name, a.description
          from jsonb_to_recordset(${JSON.stringify(actions)}::jsonb) as a(id uuid, name text, description text)
          on conflict (id) do update
            set name = excluded.name, description = excluded.description, updated_at = now()`
        yield* sql`
          delete from action_parameters where org_id = ${suite.org_id}
            and ${sql.in(
              "action_id",
              actions.map((action) => action.id)
            )}
            and (action_id, name) not in (select r.action_id, r.name from ${rows})`
        yield* sql`
          insert into action_parameters (id, org_id, action_id, name, type, required, description, position)
          select r.id, ${suite.org_id}::uuid, r.action_id, r.name, r.type, r.required, r.description, r.position
          from ${rows}
          on conflict (action_id, name) do update set type = excluded.type, required = excluded.required,
            description = excluded.description, position = excluded.position, updated_at = now()
          where (action_parameters.type, action_parameters.required, action_parameters.description, action_parameters.position)
            is distinct from (excluded.type, excluded.required, excluded.description, excluded.position)`
      }).pipe(
        Effect.mapError((error) =>
          violates(error, "actions_suite_name_unique")
            ? new ActionNameTaken({ name: actions.map(({ name }) => name).join(", ") })
            : error
        ),
        orDefect
      )
    }

    const remove = (suite: OfSuite, ids: ReadonlyArray<ActionId>) =>
      orDefect(Effect.asVoid(sql`delete from actions where ${within(suite)} and ${sql.in("id", ids)}`))

    return { list, all, find, save, remove } as const
  })
}) {}
