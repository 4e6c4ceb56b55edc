import { document } from "../api/Api.ts"

/** What the rim has to know of an operation before the router does. */
interface Operation {
  readonly method: string
  /** Names of path and query parameters. */
  readonly parameters: ReadonlySet<string>
  /** True when its body is JSON and nothing else. */
  readonly takesJson: boolean
}

interface Resource {
  /** The contract's path, such as `/v1/suites/{id}`. */
  readonly template: string
  readonly pattern: RegExp
  readonly operations: ReadonlyArray<Operation>
}

/** Pages that the contract does not name. */
const pages: ReadonlyArray<string> = ["/docs"]

const toPattern = (template: string) =>
  new RegExp(`^${template.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}$`)

const isLiteral = ({ template }: Resource) => !template.includes("{")

const all: ReadonlyArray<Resource> = [
  ...Object.entries(document.paths).map(([template, item]) => ({
    template,
    pattern: toPattern(template),
    operations: Object.entries(item).map(([method, { parameters, requestBody }]) => ({
      method: method.toUpperCase(),
      parameters: new Set(parameters.filter((one) => one.in === "path" || one.in === "query").map(({ name }) => name)),
      takesJson: requestBody !== undefined && Object.keys(requestBody.content).join() === "application/json"
    }))
  })),
  ...pages.map((template) => ({
    template,
    pattern: toPattern(template),
    operations: [{ method: "GET", parameters: new Set<string>(), takesJson: false }]
  }))
]

// A path that is named as it is means itself, as for the router, and no id of that name.
const resources = [...all.filter(isLiteral), ...all.filter((one) => !isLiteral(one))]

const resource = (path: string) => resources.find(({ pattern }) => pattern.test(path))

/** The contract's path that a request's path belongs to: a bounded set, fit for a metric's label. */
export const templateOf = (path: string): string | undefined => resource(path)?.template

/** The methods that a path knows, as an Allow header names them; undefined for a path that leads nowhere. */
export const allowedMethods = (path: string): ReadonlyArray<string> | undefined =>
  resource(path)?.operations.flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method]))

const operationOf = (method: string, path: string): Operation | undefined =>
  resource(path)?.operations.find((operation) => operation.method === (method === "HEAD" ? "GET" : method))

/** Names of the path and query parameters of a request's operation; undefined where there is none. */
export const parametersOf = (method: string, path: string): ReadonlySet<string> | undefined =>
  operationOf(method, path)?.parameters

const bodiless = new Set(["GET", "HEAD", "DELETE", "OPTIONS"])

/** True when the request's operation reads its body as JSON and in no other way. */
export const takesJson = (method: string, path: string): boolean =>
  !bodiless.has(method) && operationOf(method, path)?.takesJson === true
