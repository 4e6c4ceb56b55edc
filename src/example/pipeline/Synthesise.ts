import type { Classification, MappingSurface } from "../../domain/example/Classification.ts"
import type { Message, ToolDefinition } from "../../domain/example/Message.ts"
import { toArguments } from "./Transform.ts"

/** An action that was recognised, with what the application answered where the recording has it. */
export interface Step extends Classification {
  readonly result: string | null
}

/** What an example is about, besides what was done. */
export interface Setting {
  readonly suite: { readonly name: string; readonly description: string }
  /** The session's: what the person wanted. */
  readonly description: string
  readonly mappings: ReadonlyArray<MappingSurface>
  readonly tools: ReadonlyArray<ToolDefinition>
}

export interface Synthesis {
  readonly messages: ReadonlyArray<Message>
  /** The steps that became calls. */
  readonly mapped: ReadonlyArray<Step>
  /** Actions that were recognised and have no tool in the map. */
  readonly unmapped: ReadonlyArray<string>
}

/** The line that every example begins with. */
export const systemLine = ({ suite, tools }: Setting): string => {
  const names = tools.map((tool) => tool.function.name).join(", ")
  const about = suite.description.trim() === "" ? "" : ` ${suite.description.trim()}`
  return `You act in ${suite.name} by calling its tools.${about}\nTools: ${names}.`
}

const words = (name: string) =>
  name
    .replaceAll(/([\p{Ll}\d])(\p{Lu})/gu, "$1 $2")
    .replaceAll(/[_\-.]+/g, " ")
    .trim()
    .toLowerCase()

const shown = (value: unknown): string => {
  const text = typeof value === "string" ? value : JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 80).toWellFormed()}…` : text
}

const clause = ({ action, parameters }: Pick<Classification, "action" | "parameters">): string => {
  const given = Object.entries(parameters).map(([name, value]) => `${words(name)}: ${shown(value)}`)
  return given.length === 0 ? words(action) : `${words(action)} (${given.join(", ")})`
}

/** The steps as one sentence: `Add to cart (product: Milk), then checkout.` */
export const sentence = (steps: ReadonlyArray<Pick<Classification, "action" | "parameters">>): string => {
  const shownSteps = steps.slice(0, 20).map(clause)
  const text = [...shownSteps, ...(steps.length > 20 ? [`${steps.length - 20} more`] : [])].join(", then ")
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`
}

/** Numbered, so that the same inputs give the same bytes. */
export const callId = (at: number): string => `call_${at + 1}`

const propertiesOf = (tool: ToolDefinition | undefined): ReadonlySet<string> => {
  const properties = tool?.function.parameters["properties"]
  return new Set(typeof properties === "object" && properties !== null ? Object.keys(properties) : [])
}

/**
 * A conversation that does with tools what the person did by hand. Each call is answered: by what the
 * application answered where the recording has it, else by nothing, as chat completions want a `tool`
 * message for every call and nothing is made up.
 */
export const synthesise = (setting: Setting, steps: ReadonlyArray<Step>): Synthesis => {
  const mappings = new Map(setting.mappings.map((mapping) => [mapping.action, mapping]))
  const tools = new Map(setting.tools.map((tool) => [tool.function.name, tool]))
  const mapped = steps.filter(({ action }) => mappings.has(action))
  const unmapped = [...new Set(steps.flatMap(({ action }) => (mappings.has(action) ? [] : [action])))]
  const calls = mapped.flatMap((step, at): ReadonlyArray<Message> => {
    const mapping = mappings.get(step.action)
    if (mapping === undefined) return []
    const values = toArguments(mapping, step.parameters, propertiesOf(tools.get(mapping.tool)))
    const id = callId(at)
    return [
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id, type: "function", function: { name: mapping.tool, arguments: JSON.stringify(values) } }]
      },
      { role: "tool", tool_call_id: id, content: step.result ?? "" }
    ]
  })
  const wanted = setting.description.trim()
  const messages: ReadonlyArray<Message> = [
    { role: "system", content: systemLine(setting) },
    { role: "user", content: wanted === "" ? sentence(mapped) : wanted },
    ...calls,
    { role: "assistant", content: `Done: ${sentence(mapped)}` }
  ]
  return { messages, mapped, unmapped }
}
