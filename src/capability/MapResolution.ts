import type { Action } from "../domain/capability/Action.ts"
import type { CreateMapping, Transform } from "../domain/capability/ActionToolMap.ts"
import { hasParameter } from "../domain/capability/JsonSchema.ts"
import type { Tool } from "../domain/capability/Tool.ts"
import { Issue } from "../domain/Errors.ts"
import type { ActionId, CapabilityId } from "../domain/Ids.ts"

/** A mapping whose both sides were found. */
export interface ResolvedMapping {
  readonly action_id: ActionId
  readonly tool_id: CapabilityId
  readonly parameters: ReadonlyArray<{
    readonly action_parameter: string
    readonly tool_parameter: string
    readonly transform: typeof Transform.Type
  }>
}

interface Sides {
  readonly actions: ReadonlyArray<Pick<Action, "id" | "name" | "parameters">>
  readonly tools: ReadonlyArray<Pick<Tool, "id" | "name" | "input_schema">>
}

/** By name or, where none has it, by id. */
const referred = <A extends { readonly id: string; readonly name: string }>(all: ReadonlyArray<A>) => {
  const names = new Map(all.map((one) => [one.name, one]))
  const ids = new Map<string, A>(all.map((one) => [one.id, one]))
  return (reference: string): A | undefined => names.get(reference) ?? ids.get(reference)
}

const quoted = (text: string) => JSON.stringify(text)

/**
 * Checks mappings against the suite's actions and the server's tools. Answers what they come to,
 * and everything that is wrong with them, each with its path in the body.
 */
export const resolve = (mappings: ReadonlyArray<CreateMapping>, { actions, tools }: Sides) => {
  const findAction = referred(actions)
  const findTool = referred(tools)
  const issues: Array<Issue> = []
  const resolved: Array<ResolvedMapping> = []
  const mapped = new Set<string>()
  const refuse = (path: string, message: string) => issues.push(new Issue({ path, message }))

  for (const [at, mapping] of mappings.entries()) {
    const path = `mappings.${at}`
    const action = findAction(mapping.action)
    const tool = findTool(mapping.tool)
    if (action === undefined) refuse(`${path}.action`, `the suite has no action ${quoted(mapping.action)}`)
    if (tool === undefined) refuse(`${path}.tool`, `the server has no tool ${quoted(mapping.tool)}`)
    if (action !== undefined && mapped.has(action.id))
      refuse(`${path}.action`, `${quoted(action.name)} is mapped twice`)
    if (action !== undefined) mapped.add(action.id)
    const known = new Set(action?.parameters.map(({ name }) => name))
    const filled = new Set<string>()
    for (const [index, { action_parameter, tool_parameter }] of mapping.parameters.entries()) {
      const here = `${path}.parameters.${index}`
      if (action !== undefined && !known.has(action_parameter)) {
        refuse(
          `${here}.action_parameter`,
          `the action ${quoted(action.name)} has no parameter ${quoted(action_parameter)}`
        )
      }
      if (tool !== undefined && !hasParameter(tool.input_schema, tool_parameter)) {
        refuse(`${here}.tool_parameter`, `the tool ${quoted(tool.name)} has no parameter ${quoted(tool_parameter)}`)
      }
      if (filled.has(tool_parameter)) refuse(`${here}.tool_parameter`, `${quoted(tool_parameter)} is filled twice`)
      filled.add(tool_parameter)
    }
    if (action === undefined || tool === undefined) continue
    const parameters = mapping.parameters.map(({ action_parameter, tool_parameter, transform }) => ({
      action_parameter,
      tool_parameter,
      transform
    }))
    resolved.push({ action_id: action.id, tool_id: tool.id, parameters })
  }
  return { issues, resolved }
}
