import type { EventTarget, InputEvent } from "../../domain/session/Timeline.ts"
import { isMembers, type Members, numberOf, shown, textOf } from "./Values.ts"

type Action = Pick<InputEvent, "type" | "target" | "value" | "key" | "url" | "x" | "y">

const eventTypes: ReadonlyMap<string, string> = new Map([
  ["goto", "navigate"],
  ["reload", "navigate"],
  ["goBack", "navigate"],
  ["goForward", "navigate"],
  ["click", "click"],
  ["dblclick", "dblclick"],
  ["tap", "click"],
  ["mouseClick", "click"],
  ["mouseMove", "mousemove"],
  ["mouseDown", "mousedown"],
  ["mouseUp", "mouseup"],
  ["mouseWheel", "scroll"],
  ["touchscreenTap", "click"],
  ["hover", "hover"],
  ["focus", "focus"],
  ["fill", "change"],
  ["type", "input"],
  ["press", "keydown"],
  ["pressSequentially", "input"],
  ["check", "change"],
  ["uncheck", "change"],
  ["selectOption", "change"],
  ["setInputFiles", "change"],
  ["keyboardType", "input"],
  ["keyboardInsertText", "input"],
  ["keyboardPress", "keydown"],
  ["keyboardDown", "keydown"],
  ["keyboardUp", "keyup"],
  ["dragAndDrop", "drag"],
  ["dispatchEvent", "dispatch"]
])

const role = /internal:role=([\w-]+)(?:\[name="((?:[^"\\]|\\.)*)"[is]?\])?/
const label = /internal:(?:label|attr=\[(?:placeholder|alt|title|aria-label))="((?:[^"\\]|\\.)*)"/
const text = /internal:(?:text|has-text)="((?:[^"\\]|\\.)*)"|^text=["']?(.*?)["']?$/

const unquoted = (quoted: string | undefined) => quoted?.replaceAll(/\\(.)/g, "$1")

const targetOf = (selector: string | null): EventTarget | null => {
  if (selector === null) return null
  const [, named, roleName] = role.exec(selector) ?? []
  const labelled = label.exec(selector)?.[1]
  const texts = text.exec(selector)
  const name = unquoted(roleName ?? labelled)
  const shownText = unquoted(texts?.[1] ?? texts?.[2])
  return {
    selector,
    ...(named === undefined ? {} : { role: named }),
    ...(name === undefined ? {} : { name }),
    ...(shownText === undefined ? {} : { text: shownText })
  }
}

const chosen = (options: unknown): string | null => {
  if (!Array.isArray(options)) return null
  const names = options.map((option) =>
    isMembers(option) ? shown(option.valueOrLabel ?? option.value ?? option.label ?? option.index) : shown(option)
  )
  return names.filter((name) => name !== null).join(", ")
}

const valueOf = (method: string, params: Members): string | null => {
  if (method === "check" || method === "uncheck") return String(method === "check")
  if (method === "selectOption") return chosen(params.options)
  if (method === "setInputFiles") return shown(params.localPaths ?? params.streams ?? params.files)
  return textOf(params.value) ?? textOf(params.text)
}

/** The input that a call of Playwright's API makes; undefined for all other calls. */
export const actionOf = (method: string, params: Members, point: unknown): Action | undefined => {
  const type = eventTypes.get(method)
  if (type === undefined) return undefined
  const at = isMembers(point) ? point : params
  return {
    type,
    target: targetOf(textOf(params.selector) ?? textOf(params.source)),
    value: valueOf(method, params),
    key: textOf(params.key),
    url: method === "goto" ? textOf(params.url) : null,
    x: numberOf(at.x),
    y: numberOf(at.y)
  }
}
