import { Schema } from "effect"
import type { ActionSurface, Classification } from "../../domain/example/Classification.ts"
import { REDACTED } from "../../session/Secrets.ts"
import { coerce } from "./Coerce.ts"
import type { Window } from "./Windows.ts"

const whole = Schema.Number.annotations({ jsonSchema: { type: "integer" } })

/**
 * What the model answers. The actions are a closed enumeration, so that none can be invented. Flat, and
 * every member there: providers that hold a model to a schema take no more than that.
 */
export const answerSchema = (actions: ReadonlyArray<ActionSurface>) =>
  Schema.Struct({
    intent: Schema.String,
    actions: Schema.Array(
      Schema.Struct({
        action: Schema.Literal(...actions.map(({ name }) => name)),
        parameters: Schema.Array(Schema.Struct({ name: Schema.String, value: Schema.String })),
        first: whole,
        last: whole,
        confidence: Schema.Number
      })
    )
  }).annotations({ description: "The actions that the person carried out" })
export type LlmAnswer = ReturnType<typeof answerSchema>["Type"]

/** What an answer comes to, and what of it could not be used. */
export interface Checked {
  readonly found: ReadonlyArray<Classification>
  readonly intent: string | null
  /** Worth asking again. */
  readonly faults: ReadonlyArray<string>
}

const rounded = (value: number) => Math.round(Math.min(1, Math.max(0, value)) * 1000) / 1000

/** Whether the recording shows the value, as far as a text can tell. */
const isShown = (value: unknown, recording: string): boolean => {
  if (typeof value !== "string" && typeof value !== "number") return true
  const text = String(value).toLowerCase()
  if (text.length < 3 || recording.includes(text)) return true
  const escaped = JSON.stringify(text).slice(1, -1)
  return recording.includes(escaped) || (typeof value === "number" && recording.replaceAll(",", "").includes(text))
}

/** The parameters of one action, of their declared types. */
const parametersOf = (action: ActionSurface, given: LlmAnswer["actions"][number]["parameters"], recording: string) => {
  const values = new Map<string, unknown>()
  const faults: Array<string> = []
  let doubts = 0
  for (const { name, value } of given) {
    const parameter = action.parameters.find((other) => other.name === name)
    if (value.trim() === "" || value.includes(REDACTED)) continue
    const typed = parameter === undefined ? undefined : coerce(value, parameter.type)
    if (typed !== undefined) {
      values.set(name, typed)
      if (!isShown(typed, recording)) doubts += 1
      continue
    }
    doubts += 1
    if (parameter === undefined) faults.push(`${action.name} has no parameter ${JSON.stringify(name)}`)
    else if (parameter.required) faults.push(`${action.name}.${name} must be a ${parameter.type.toLowerCase()}`)
  }
  // In the order of their declaration, so that the same values give the same bytes.
  const ordered = action.parameters.flatMap(({ name }) => (values.has(name) ? [[name, values.get(name)] as const] : []))
  const required = action.parameters.filter((parameter) => parameter.required)
  const filled = required.filter(({ name }) => values.has(name)).length
  return {
    parameters: Object.fromEntries(ordered),
    faults,
    /** What the confidence is worth: less for values that were dropped or are not in the recording, and for those that are missing. */
    worth: 0.8 ** doubts * (required.length === 0 ? 1 : 0.7 + (0.3 * filled) / required.length)
  }
}

/** Holds an answer against the actions and the window: what does not fit is dropped, with less confidence in the rest. */
export const checked = (answer: LlmAnswer, actions: ReadonlyArray<ActionSurface>, window: Window): Checked => {
  const recording = window.map(({ text }) => text.toLowerCase()).join("\n")
  const episodes = new Map(window.map((shown) => [shown.n, shown]))
  const faults: Array<string> = []
  const found = answer.actions.flatMap((one): ReadonlyArray<Classification> => {
    const action = actions.find(({ name }) => name === one.action)
    const from = episodes.get(one.first)
    const to = episodes.get(one.last)
    if (action === undefined || from === undefined || to === undefined || one.first > one.last) {
      faults.push(`${one.action}: there are no episodes ${one.first} to ${one.last}`)
      return []
    }
    const { parameters, worth, ...wrong } = parametersOf(action, one.parameters, recording)
    faults.push(...wrong.faults)
    return [
      {
        action: action.name,
        parameters,
        confidence: rounded(rounded(one.confidence) * worth),
        evidence: { from_seq: from.from_seq, to_seq: to.to_seq }
      }
    ]
  })
  const intent = answer.intent.replaceAll(/\s+/g, " ").trim()
  return { found, intent: intent === "" ? null : intent.slice(0, 1000).toWellFormed(), faults }
}
