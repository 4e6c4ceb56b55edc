import type { OpenApi } from "@effect/platform"
import { isDerived } from "./PlainSchemas.ts"

type Spec = OpenApi.OpenAPISpec
type Operation = OpenApi.OpenAPISpecOperation
/** The framework's type leaves out the headers that a transformation may have added. */
type Response = OpenApi.OpenApiSpecResponse & { readonly headers?: Readonly<Record<string, object>> }

/** The schema that every failure's document holds to. */
export const problemSchema = {
  type: "object",
  description: "An RFC 9457 problem document. `_tag` names the typed error, whose own fields stand beside these.",
  required: ["type", "title", "status", "detail", "instance", "code", "request_id", "_tag"],
  properties: {
    type: { type: "string", format: "uri-reference" },
    title: { type: "string", description: "One line, the same for every occurrence" },
    status: { type: "integer" },
    detail: { type: "string", description: "What went wrong this time" },
    instance: { type: "string", description: "The path that was asked for" },
    code: { type: "string", description: "snake_case and stable: what a program may branch on" },
    request_id: { type: "string", description: "Also in `X-Request-Id`, and on every log line of the request" },
    _tag: { type: "string" },
    errors: { type: "array", items: { $ref: "#/components/schemas/ProblemIssue" } }
  }
}

/** Headers that many answers share. */
export const sharedHeaders = {
  RequestId: { description: "The id of the request, as sent or as made here", schema: { type: "string" } },
  RetryAfter: { description: "Seconds to wait before trying again", schema: { type: "integer" } },
  RateLimit: {
    description:
      "What remains of each limit now: `r` requests, and full again in `t` seconds (draft-ietf-httpapi-ratelimit-headers)",
    schema: { type: "string" },
    example: '"key";r=99;t=1, "user";r=199;t=1'
  },
  RateLimitPolicy: {
    description: "The limits that the request counts on: `q` requests in `w` seconds",
    schema: { type: "string" },
    example: '"key";q=600;w=60, "user";q=1200;w=60'
  },
  WwwAuthenticate: { description: "How to authenticate (RFC 9110)", schema: { type: "string" } }
}

const header = (name: keyof typeof sharedHeaders) => ({ $ref: `#/components/headers/${name}` })

const ownHeaders: Readonly<Record<string, object>> = {
  401: { "WWW-Authenticate": header("WwwAuthenticate") },
  429: { "Retry-After": header("RetryAfter") },
  503: { "Retry-After": header("RetryAfter") }
}

const limitHeaders = { RateLimit: header("RateLimit"), "RateLimit-Policy": header("RateLimitPolicy") }

/** Schemas of the framework's own: its decode error never leaves the service, as the rim turns it into ours. */
export const foreign: ReadonlySet<string> = new Set(["HttpApiDecodeError", "Issue", "PropertyKey", "Int"])

const errorNames = (schema: unknown): ReadonlyArray<string> =>
  [...JSON.stringify(schema).matchAll(/"#\/components\/schemas\/(\w+)"/g)]
    .flatMap(([, name]) => (name === undefined ? [] : [name]))
    .filter((name) => !foreign.has(name))

const asProblem = (names: ReadonlyArray<string>) => {
  const references = names.map((name) => ({ $ref: `#/components/schemas/${name}` }))
  const own = references.length > 1 ? [{ anyOf: references }] : references
  return { allOf: [{ $ref: "#/components/schemas/Problem" }, ...own] }
}

/** Of the errors that the whole contract has in common, those that this operation can come to. */
const canAnswer = (operation: Operation, authenticated: boolean) => (status: string) => {
  const takesBody = operation.requestBody !== undefined
  switch (status) {
    case "400":
      return takesBody || authenticated || operation.parameters.length > 0
    case "405":
      return false
    case "429":
      return authenticated
    case "408":
    case "413":
    case "415":
    case "422":
      return takesBody
    default:
      return true
  }
}

const answer = (spec: Spec, status: string, response: Response, authenticated: boolean) => {
  const content = Object.values(response.content ?? {})[0]
  const headers = {
    ...response.headers,
    "X-Request-Id": header("RequestId"),
    ...(authenticated ? limitHeaders : {}),
    ...ownHeaders[status]
  }
  if (Number(status) < 400 || content === undefined) {
    return { ...response, headers, description: isDerived(response.description) ? "Success" : response.description }
  }
  const names = errorNames(content.schema)
  const description = names.map((name) => spec.components.schemas[name]?.description).join("; or: ")
  return { description, headers, content: { "application/problem+json": { schema: asProblem(names) } } }
}

/** An operation's answers: failures as problem documents, and only those that it can come to. */
export const responses = (spec: Spec, operation: Operation, authenticated: boolean) => {
  const possible = canAnswer(operation, authenticated)
  return Object.fromEntries(
    Object.entries(operation.responses)
      .filter(([status]) => possible(status))
      .map(([status, response]) => [status, answer(spec, status, response, authenticated)])
  )
}
