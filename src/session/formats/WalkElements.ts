import type { PathNode } from "./ElementPaths.ts"
import type { ElementHandler } from "./JsonElements.ts"
import { isMembers, type Members } from "./Values.ts"

const withoutElements = (part: Members, streamed: ReadonlyArray<readonly [PathNode, unknown]>): Members => {
  const values = new Set(streamed.map(([, value]) => value))
  return Object.fromEntries(Object.entries(part).filter(([, value]) => !values.has(value)))
}

/** Shows a parsed value to a handler as `JsonElements` shows its bytes. */
export const walkElements = (node: PathNode, value: unknown, handler: ElementHandler, bytes: number): void => {
  const around: Array<Members> = []
  const visit = (below: PathNode, part: unknown): boolean => {
    if (Array.isArray(part) && below.items !== undefined) {
      for (const element of part) {
        if (!visit(below.items, element)) handler.element(below.items.path, element, around, bytes / part.length)
      }
      return true
    }
    if (!isMembers(part) || below.members === undefined) return false
    const streamed: Array<[PathNode, unknown]> = []
    for (const [key, next] of below.members) {
      const member: unknown = Object.hasOwn(part, key) ? Reflect.get(part, key) : undefined
      const opens = Array.isArray(member) ? next.items : isMembers(member) && next.members
      if (opens) streamed.push([next, member])
    }
    const members = streamed.length === 0 ? part : withoutElements(part, streamed)
    around.push(members)
    for (const [next, member] of streamed) visit(next, member)
    around.pop()
    handler.object(below.path, members, around)
    return true
  }
  if (!visit(node, value)) handler.element("", value, around, bytes)
}
