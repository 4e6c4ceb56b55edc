import type { Episode } from "../../domain/example/Episode.ts"
import type { EventTarget, InputEvent } from "../../domain/session/Timeline.ts"

/** What an input event means to its person. */
export interface Action {
  readonly type: Episode["type"]
  readonly isDouble?: boolean
  /** It is Enter, not the form's own event. */
  readonly isKey?: boolean
  /** Of a trace: what the events of one press share. */
  readonly interaction?: unknown
}

const presses: ReadonlySet<string> = new Set(["pointerdown", "pointerup"])
/** Keys that do nothing by themselves. */
const silentKeys: ReadonlySet<string> = new Set([
  "Shift",
  "Control",
  "Alt",
  "Meta",
  "AltGraph",
  "CapsLock",
  "Tab",
  "Dead",
  "Process",
  "Unidentified"
])
const erasing: ReadonlySet<string> = new Set(["Backspace", "Delete"])

const isTextArea = (target: EventTarget | null) => target?.tag?.toLowerCase() === "textarea"

const holds = (event: InputEvent, ...names: ReadonlyArray<string>) => names.some((name) => event.extra?.[name] === true)

const isShortcut = (event: InputEvent) => holds(event, "ctrlKey", "metaKey", "ctrl", "meta")

const keyAction = (event: InputEvent): Action | undefined => {
  const { key } = event
  if (key === null || silentKeys.has(key)) return undefined
  if (isShortcut(event)) return { type: "key" }
  if (key === "Enter") return isTextArea(event.target) ? { type: "change" } : { type: "submit", isKey: true }
  if ([...key].length === 1 || erasing.has(key) || key === "[redacted]") return { type: "change" }
  return { type: "key" }
}

/** Undefined for what is no action: moving, scrolling, focus, the parts of a key press. */
export const actionOf = (event: InputEvent): Action | undefined => {
  const interaction = event.extra?.["interactionId"]
  // 0 is what hovering has.
  const shared = interaction === undefined || interaction === 0 || interaction === null ? {} : { interaction }
  switch (event.type) {
    case "click":
    case "tap":
      return { type: "click", ...shared }
    case "dblclick":
      return { type: "click", isDouble: true }
    case "input":
    case "change":
      return event.value === null ? undefined : { type: "change" }
    case "submit":
      return { type: "submit" }
    case "navigate":
      return { type: "navigate" }
    case "keydown":
      return keyAction(event)
    default:
      return presses.has(event.type) && "interaction" in shared ? { type: "click", ...shared } : undefined
  }
}

/** What a field holds after the event: a key adds to it, an event of the field has it whole. */
export const typed = (before: string | null, event: InputEvent): string | null => {
  if (event.type !== "keydown") return event.value
  const { key } = event
  if (key === "Backspace") return before === null ? null : [...before].slice(0, -1).join("")
  if (key === null || key === "Delete") return before
  return (before ?? "") + (key === "Enter" ? "\n" : key)
}

/** Whether two events are aimed at the same thing, as far as the recording tells. */
export const isSameTarget = (one: EventTarget | null, other: EventTarget | null): boolean => {
  if (one === null || other === null) return one === other
  if (one.selector !== undefined || other.selector !== undefined) return one.selector === other.selector
  return one.name === other.name && one.role === other.role && one.text === other.text && one.tag === other.tag
}
