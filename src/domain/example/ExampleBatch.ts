import { Schema } from "effect"
import { ActionToolMapId, ModelId, SessionId, SuiteId } from "../Ids.ts"
import { TimestampText } from "../Json.ts"
import { Format } from "../session/Session.ts"
import { CreateExample } from "./Example.ts"

/** The most sessions that one batch goes through. */
export const maxBatch = 10_000

const optional = <A, I, R>(schema: Schema.Schema<A, I, R>) => Schema.optionalWith(schema, { exact: true })

export const Split = Schema.Literal("session", "turn", "episode").annotations({
  identifier: "Split",
  description:
    "session: an example of each recording, or of each of its conversations; turn: an agent's conversation is cut where the user speaks; episode: a browser's recording is cut where another page is opened"
})
export type Split = typeof Split.Type

const SessionFilter = Schema.Struct({
  suite_id: optional(SuiteId),
  format: optional(Format),
  created_after: optional(TimestampText),
  created_before: optional(TimestampText),
  q: optional(Schema.String.pipe(Schema.maxLength(200)))
}).annotations({ identifier: "BatchFilter", description: "Of the sessions that are READY, those that fit all of it" })

/** `session_ids` and `filter` narrow each other; one of them is needed. */
export class CreateExampleBatch extends Schema.Class<CreateExampleBatch>("CreateExampleBatch")(
  {
    session_ids: optional(Schema.Array(SessionId).pipe(Schema.minItems(1), Schema.maxItems(1000))),
    filter: optional(SessionFilter),
    model_id: ModelId,
    action_tool_map_id: optional(ActionToolMapId).annotations({
      description: "Without it, the only map of each session's suite"
    }),
    model_configuration: CreateExample.fields.model_configuration,
    split: Schema.optionalWith(Split, { default: () => "session" as const }),
    outcome: optional(Schema.Literal("success")).annotations({
      description:
        "Only of what is known to have succeeded: by the session's metadata, else by what the recording says (`success`, `resolved`, `outcome`, `reward`, `exit_status`…)"
    })
  },
  [undefined, { identifier: "CreateExampleBatch" }]
) {}
