import { Schema } from "effect"
import { NotFound } from "../Errors.ts"
import { ActionId, SuiteId } from "../Ids.ts"
import { Text, TimestampText } from "../Json.ts"
import { problem } from "../Problem.ts"

export const ParameterType = Schema.Literal("STRING", "NUMBER", "BOOLEAN", "OBJECT", "ARRAY").annotations({
  identifier: "ParameterType"
})

/** A parameter of an action or, read off its input schema, of a tool. Their order is that of the list. */
export class Parameter extends Schema.Class<Parameter>("Parameter")({
  name: Schema.String,
  type: ParameterType,
  required: Schema.Boolean,
  description: Schema.String
}) {}

const Description = Text(0, 10_000)

/** Says which items of a list have the name of one before them. */
export const distinctNames = (items: ReadonlyArray<{ readonly name: string }>) =>
  items.flatMap(({ name }, at) =>
    items.findIndex((other) => other.name === name) < at
      ? [{ path: [at, "name"], message: `${JSON.stringify(name)} is there twice` }]
      : []
  )

export const CreateParameter = Schema.Struct({
  name: Text(1, 200),
  type: ParameterType,
  required: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  description: Schema.optionalWith(Description, { default: () => "" })
}).annotations({ identifier: "CreateParameter" })
export type CreateParameter = typeof CreateParameter.Type

const Parameters = Schema.Array(CreateParameter).pipe(Schema.maxItems(50), Schema.filter(distinctNames))

/** A canonical thing that a person does in an application. */
export class Action extends Schema.Class<Action>("Action")({
  id: ActionId,
  suite_id: SuiteId,
  name: Schema.String,
  description: Schema.String,
  parameters: Schema.Array(Parameter),
  created_at: TimestampText,
  updated_at: TimestampText
}) {}

export const CreateAction = Schema.Struct({
  name: Text(1, 200),
  description: Schema.optionalWith(Description, { default: () => "" }),
  parameters: Schema.optionalWith(Parameters, { default: () => [] })
}).annotations({ identifier: "CreateAction" })
export type CreateAction = typeof CreateAction.Type

/** `parameters` replaces the whole list; one that keeps its name stays the same to the maps that use it. */
export class UpdateAction extends Schema.Class<UpdateAction>("UpdateAction")({
  name: Schema.optionalWith(Text(1, 200), { exact: true }),
  description: Schema.optionalWith(Description, { exact: true }),
  parameters: Schema.optionalWith(Parameters, { exact: true })
}) {}

export const actionNotFound = (id: ActionId) => new NotFound({ detail: `there is no action ${id} in this suite` })

/** Names of actions are unique in their suite. */
export class ActionNameTaken extends Schema.TaggedError<ActionNameTaken>("ActionNameTaken")(
  "ActionNameTaken",
  { name: Schema.String },
  problem(409, "conflict", "An action of this name exists")
) {
  override get message() {
    return `there is an action named ${JSON.stringify(this.name)} in this suite already`
  }
}
