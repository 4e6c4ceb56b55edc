import type { Action } from "../../domain/capability/Action.ts"
import { PutMcpServer, PutSuite } from "../../domain/capability/Surface.ts"
import type { Tool } from "../../domain/capability/Tool.ts"

interface Named {
  readonly name: string
}

const missing = <A extends Named>(existing: ReadonlyArray<A>, wanted: ReadonlyArray<Named>): ReadonlyArray<A> => {
  const names = new Set(wanted.map(({ name }) => name))
  return existing.filter(({ name }) => !names.has(name))
}

/** The suite as it shall be, with what it still has besides: what a map that is yet to change may need. */
export const widenedSuite = (wanted: PutSuite, existing: ReadonlyArray<Action>): PutSuite => {
  const actions = wanted.actions.map((action) => {
    const old = existing.find(({ name }) => name === action.name)?.parameters ?? []
    return { ...action, parameters: [...action.parameters, ...missing(old, action.parameters)] }
  })
  return new PutSuite({ ...wanted, actions: [...actions, ...missing(existing, actions)] })
}

type Schema = Tool["input_schema"]

const properties = ({ properties }: Schema) => (typeof properties === "object" ? properties : {})

/** The same for a server: its old tools, and the old properties of those that stay. */
export const widenedServer = (wanted: PutMcpServer, existing: ReadonlyArray<Tool>): PutMcpServer => {
  const manual = existing.filter(({ source }) => source === "manual")
  const tools = wanted.tools.map((tool) => {
    const old = manual.find(({ name }) => name === tool.name)
    if (old === undefined) return tool
    const both = { ...properties(old.input_schema), ...properties(tool.input_schema) }
    return { ...tool, input_schema: { ...tool.input_schema, properties: both } }
  })
  return new PutMcpServer({ ...wanted, tools: [...tools, ...missing(manual, tools)] })
}
