import { HttpApi } from "@effect/platform"
import { SchemaAST as AST, Context, Effect, Option, type Schema } from "effect"
import { Api } from "../../src/api/Api.ts"
import { Authentication, RequiredScope } from "../../src/api/Security.ts"
import type { Scope } from "../../src/domain/Principal.ts"
import { TestServer } from "./TestServer.ts"

/** A path or query parameter, or a field of a body, and what kind of value it takes: `SuiteId`. */
interface Parameter {
  readonly name: string
  readonly kind: string | undefined
}

/** One endpoint of the contract, as the contract itself tells it. */
export interface Endpoint {
  /** `suites.get` */
  readonly name: string
  readonly method: string
  /** `/v1/suites/:id` */
  readonly path: string
  readonly authenticated: boolean
  readonly scope: Scope | undefined
  readonly pathParameters: ReadonlyArray<Parameter>
  readonly queryParameters: ReadonlyArray<Parameter>
  /** The kinds of ids that its body holds, at any depth. */
  readonly bodyIds: ReadonlySet<string>
  readonly hasBody: boolean
}

/** The name of an id's type, behind optionality, filters and transformations. */
const kindOf = (ast: AST.AST): string | undefined => {
  const identifier = Option.getOrUndefined(AST.getIdentifierAnnotation(ast))
  if (identifier?.endsWith("Id")) return identifier
  if (AST.isUnion(ast)) return ast.types.map(kindOf).find((kind) => kind !== undefined)
  if (AST.isRefinement(ast)) return kindOf(ast.from)
  return AST.isTransformation(ast) ? kindOf(ast.to) : undefined
}

const parameters = (schema: Option.Option<Schema.Schema.All>): ReadonlyArray<Parameter> =>
  Option.match(schema, {
    onNone: () => [],
    onSome: ({ ast }) =>
      AST.getPropertySignatures(AST.isTransformation(ast) ? ast.to : ast).map(({ name, type }) => ({
        name: String(name),
        kind: kindOf(type)
      }))
  })

const idsIn = (ast: AST.AST): ReadonlyArray<string> => {
  const kind = kindOf(ast)
  if (kind !== undefined) return [kind]
  if (AST.isUnion(ast)) return ast.types.flatMap(idsIn)
  if (AST.isTupleType(ast)) return [...ast.elements, ...ast.rest].flatMap(({ type }) => idsIn(type))
  if (AST.isTypeLiteral(ast)) return ast.propertySignatures.flatMap(({ type }) => idsIn(type))
  return AST.isRefinement(ast) || AST.isTransformation(ast) ? idsIn(ast.from) : []
}

const reflected = (): ReadonlyArray<Endpoint> => {
  const found: Array<Endpoint> = []
  HttpApi.reflect(Api, {
    onGroup: () => undefined,
    onEndpoint: ({ group, endpoint, middleware, mergedAnnotations }) => {
      const payload = Option.getOrUndefined(endpoint.payloadSchema)
      found.push({
        name: `${group.identifier}.${endpoint.name}`,
        method: endpoint.method,
        path: endpoint.path,
        authenticated: [...middleware].some(({ key }) => key === Authentication.key),
        scope: Option.getOrUndefined(Context.getOption(mergedAnnotations, RequiredScope)),
        pathParameters: parameters(endpoint.pathSchema),
        queryParameters: parameters(endpoint.urlParamsSchema),
        bodyIds: new Set(payload === undefined ? [] : idsIn(payload.ast)),
        hasBody: payload !== undefined
      })
    }
  })
  return found
}

/** Every endpoint of the contract. */
export const endpoints = reflected()

export const isMutating = ({ method }: Endpoint): boolean => !["GET", "HEAD", "OPTIONS"].includes(method)

/** What a request to an endpoint says beside its method and path. */
export interface Call {
  readonly path?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly text?: string
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The JSON that came; undefined where none did. */
  readonly json: unknown
}

const filled = (path: string, values: Readonly<Record<string, string>>) =>
  path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(values[name] ?? `no-value-for-${name}`))

/** Sends a request to an endpoint, with a key or (null) without. */
export const send = (endpoint: Endpoint, api_key: string | null, call: Call = {}) =>
  Effect.flatMap(TestServer, ({ base_url }) =>
    Effect.promise(async (signal): Promise<Answer> => {
      const query = new URLSearchParams(call.query)
      const response = await fetch(`${base_url}${filled(endpoint.path, call.path ?? {})}?${query}`, {
        method: endpoint.method,
        headers: {
          ...(api_key === null ? {} : { "x-api-key": api_key }),
          ...(call.json === undefined ? {} : { "content-type": "application/json" }),
          ...call.headers
        },
        body: call.json === undefined ? (call.text ?? null) : JSON.stringify(call.json),
        redirect: "manual",
        signal
      })
      const text = await response.text()
      const isJson = /^application\/(problem\+)?json/.test(response.headers.get("content-type") ?? "")
      // A HEAD's answer says of its body what a GET's would.
      const json = isJson && text !== "" ? JSON.parse(text) : undefined
      return { status: response.status, headers: response.headers, text, json }
    })
  )
