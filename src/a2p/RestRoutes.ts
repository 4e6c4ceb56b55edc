import type { Version } from "./Versions.ts"

/** What a request asks for. */
export type Operation =
  | { readonly name: "send" | "stream" | "list" | "card" }
  | { readonly name: "get" | "cancel" | "subscribe" | "set_push" | "list_push"; readonly task_id: string }
  | { readonly name: "get_push" | "delete_push"; readonly task_id: string; readonly config_id: string }

/** What a path is of. */
export interface Route {
  readonly version: Version
  /** Undefined where the path is known and the method is not one of it. */
  readonly operation: Operation | undefined
  readonly allow: ReadonlyArray<string>
}

type Methods = Readonly<Record<string, Operation>>

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    // Not UTF-8: then it is nobody's id.
    return undefined
  }
}

const configs = /^\/tasks\/([^/]+)\/pushNotificationConfigs$/
const config = /^\/tasks\/([^/]+)\/pushNotificationConfigs\/([^/]+)$/
const action = /^\/tasks\/([^/]+):(cancel|subscribe)$/
const task = /^\/tasks\/([^/]+)$/

const ofTask = (path: string): Methods | undefined => {
  const [, acted = "", verb] = action.exec(path) ?? []
  const id = decoded(acted)
  if (verb === "cancel" && id !== undefined) return { POST: { name: "cancel", task_id: id } }
  const subscribe = id === undefined ? undefined : ({ name: "subscribe", task_id: id } as const)
  if (verb === "subscribe" && subscribe !== undefined) return { GET: subscribe, POST: subscribe }
  const task_id = decoded(task.exec(path)?.[1] ?? "")
  return task_id === undefined || task_id === "" ? undefined : { GET: { name: "get", task_id } }
}

const ofConfig = (path: string): Methods | undefined => {
  const [, of_one = "", one = ""] = config.exec(path) ?? []
  const [task_id, config_id] = [decoded(of_one), decoded(one)]
  if (task_id && config_id)
    return { GET: { name: "get_push", task_id, config_id }, DELETE: { name: "delete_push", task_id, config_id } }
  const of_all = decoded(configs.exec(path)?.[1] ?? "")
  return of_all
    ? { GET: { name: "list_push", task_id: of_all }, POST: { name: "set_push", task_id: of_all } }
    : undefined
}

const fixed: Readonly<Record<Version, Readonly<Record<string, Methods>>>> = {
  "1.0": {
    "/message:send": { POST: { name: "send" } },
    "/message:stream": { POST: { name: "stream" } },
    "/tasks": { GET: { name: "list" } },
    "/extendedAgentCard": { GET: { name: "card" } }
  },
  "0.3": {
    "/message:send": { POST: { name: "send" } },
    "/message:stream": { POST: { name: "stream" } },
    "/tasks": { GET: { name: "list" } },
    "/card": { GET: { name: "card" } }
  }
}

/** What a method and a path below `/a2p` come to; undefined where there is nothing. */
export const route = (method: string, pathname: string): Route | undefined => {
  const below = pathname
    .replace(/^\/a2p/, "")
    .replaceAll("%3A", ":")
    .replaceAll("%3a", ":")
  const version = below.startsWith("/v1/") ? "0.3" : "1.0"
  const path = version === "0.3" ? below.slice("/v1".length) : below
  const methods = Object.hasOwn(fixed[version], path) ? fixed[version][path] : (ofConfig(path) ?? ofTask(path))
  return methods === undefined ? undefined : { version, operation: methods[method], allow: Object.keys(methods) }
}
