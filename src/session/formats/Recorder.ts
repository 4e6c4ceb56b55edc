import type { EventTarget } from "../../domain/session/Timeline.ts"
import type { Adapter } from "./Adapter.ts"
import { documentNote, note, reading } from "./Reading.ts"
import { isMembers, numberOf, others, shown, textOf } from "./Values.ts"

const known: ReadonlySet<string> = new Set(["type", "value", "key", "url", "offsetX", "offsetY", "x", "y"])

/** What DOM events call the steps; all other types are kept as they are. */
const eventTypes: ReadonlyMap<string, string> = new Map([
  ["doubleClick", "dblclick"],
  ["keyDown", "keydown"],
  ["keyUp", "keyup"]
])

/** `aria/Send[role="button"]`: an accessible name, and maybe a role. */
const aria = /^aria\/(.*?)(?:\[role="([^"]*)"\])?$/s

/** A selector's hops through shadow roots; older steps have flat strings. */
const hopsOf = (selector: unknown): ReadonlyArray<string> =>
  (Array.isArray(selector) ? selector : [selector]).filter((hop) => typeof hop === "string")

const isPlain = (hops: ReadonlyArray<string>) => hops.every((hop) => !/^(aria|xpath|text|pierce)\//.test(hop))

/** The target, from all the ways in which a step names it. */
const targetOf = (selectors: unknown): EventTarget | null => {
  if (!Array.isArray(selectors)) return null
  const all = selectors.map(hopsOf).filter((hops) => hops.length > 0)
  if (all.length === 0) return null
  const target: { -readonly [Key in keyof EventTarget]: EventTarget[Key] } = {}
  for (const hops of all) {
    const last = hops.at(-1) ?? ""
    const [, name, role] = aria.exec(last) ?? []
    if (name !== undefined && name !== "") target.name ??= name
    if (role !== undefined) target.role ??= role
    if (last.startsWith("text/")) target.text ??= last.slice("text/".length)
  }
  const chosen = all.find(isPlain) ?? all.find((hops) => hops.at(-1)?.startsWith("pierce/")) ?? all.at(-1)
  return { ...target, selector: (chosen ?? []).map((hop) => hop.replace(/^pierce\//, "")).join(" >>> ") }
}

/** Chrome DevTools Recorder: steps without a clock. */
export const recorder: Adapter = reading({ paths: ["steps[*]"] }, (emit) => {
  const about = documentNote(emit, "recording")
  return {
    element: (_path, step, place, around) => {
      about.before(around[0], place)
      const { source } = place
      if (!isMembers(step)) {
        emit(note("step", step, source))
        return
      }
      const type = shown(step.type) ?? "unknown"
      emit({
        kind: "input",
        at: null,
        source,
        type: eventTypes.get(type) ?? type,
        target: targetOf(step.selectors),
        value: shown(step.value),
        key: shown(step.key),
        url: textOf(step.url),
        x: numberOf(step.offsetX ?? step.x),
        y: numberOf(step.offsetY ?? step.y),
        ...others(step, known)
      })
    },
    object: (_path, members, place) => about.after(members, place)
  }
})
