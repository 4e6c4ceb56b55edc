import { Effect, Schema } from "effect"
import { Actions } from "../../../capability/Actions.ts"
import { ActionToolMaps } from "../../../capability/ActionToolMaps.ts"
import { Suites } from "../../../capability/Suites.ts"
import { Action } from "../../../domain/capability/Action.ts"
import { ActionToolMap } from "../../../domain/capability/ActionToolMap.ts"
import { Suite } from "../../../domain/capability/Suite.ts"
import { SuiteId } from "../../../domain/Ids.ts"
import { Page, SearchText } from "../../../domain/Page.ts"
import { CurrentPrincipal, holds } from "../../../domain/Principal.ts"
import { cutText, shortDescription } from "../Cut.ts"
import { output, paging, reads, tool } from "../Tool.ts"

const mapsShown = 100

const SuiteSurface = Schema.Struct({
  suite: Suite,
  actions: Schema.Array(Action).annotations({ description: "What people do in the application, with parameters" }),
  next_cursor: Schema.NullOr(Schema.String).annotations({ description: "Of the actions; null on the last page" }),
  action_tool_maps: Schema.NullOr(
    Schema.Array(Schema.Struct({ id: ActionToolMap.fields.id, name: Schema.String, version: Schema.Int }))
  ).annotations({
    description:
      "The maps from its actions to tools that `create_example` can go through; null where the credential may not see them"
  })
})

const parameterChars = 200

/** An action may have many parameters, and a suite many actions. */
const shortAction = <A extends Pick<Action, "description" | "parameters">>(action: A) => ({
  ...action,
  description: shortDescription(action.description),
  parameters: action.parameters.map((parameter) => ({
    ...parameter,
    description: cutText(parameter.description, parameterChars)
  }))
})

/** The applications that sessions are recorded in. */
export const suiteTools = Effect.gen(function* () {
  const suites = yield* Suites
  const actions = yield* Actions
  const maps = yield* ActionToolMaps

  const mapsOf = (suite_id: SuiteId) =>
    Effect.gen(function* () {
      if (!holds(yield* CurrentPrincipal, "maps:read")) return null
      return (yield* maps.list({ suite_id, limit: mapsShown })).items
    })

  return [
    tool({
      name: "list_suites",
      title: "List suites",
      description:
        "Lists the suites: the applications whose sessions are recorded, newest first. Their ids are what other tools take as `suite_id`.",
      input: Schema.Struct({ ...paging, q: SearchText }),
      output: output(Page("SuitePage", Suite)),
      annotations: reads,
      next: { BadRequest: "Leave `cursor` out for the first page." },
      handle: (query) =>
        Effect.map(suites.list(query), ({ items, next_cursor }) => ({
          items: items.map((suite) => ({ ...suite, description: shortDescription(suite.description) })),
          next_cursor
        }))
    }),
    tool({
      name: "get_suite",
      title: "Read a suite with its actions",
      description:
        "Reads one suite with its actions and their parameters (what people do in the application), and the maps from actions to tools.",
      input: Schema.Struct({ suite_id: SuiteId, ...paging }),
      output: output(SuiteSurface),
      annotations: reads,
      next: {
        NotFound: "Call list_suites for the ids of suites.",
        BadRequest: "Leave `cursor` out for the first page."
      },
      handle: ({ suite_id, ...query }) =>
        Effect.gen(function* () {
          const suite = yield* suites.get(suite_id)
          const page = yield* actions.list(suite_id, query)
          const action_tool_maps = yield* mapsOf(suite_id)
          return { suite, actions: page.items.map(shortAction), next_cursor: page.next_cursor, action_tool_maps }
        })
    })
  ]
})
