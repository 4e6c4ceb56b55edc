import { HttpApi, type HttpApiGroup, type OpenApi } from "@effect/platform"
import { SchemaAST as AST, Context, Option, type Schema } from "effect"
import { plain } from "./PlainSchemas.ts"
import { foreign, problemSchema, responses, sharedHeaders } from "./ProblemResponses.ts"
import { Authentication, RequiredScope, securitySchemes } from "./Security.ts"

type Spec = OpenApi.OpenAPISpec
type Operation = OpenApi.OpenAPISpecOperation

/** What is known of an operation besides its derivation. */
interface Known {
  readonly authenticated: boolean
  readonly scope: string | undefined
  /** Of query parameters, by name: the derivation loses these where another parameter has a default. */
  readonly descriptions: ReadonlyMap<string, string>
}

/** The descriptions of a struct's properties. */
const propertyDescriptions = ({ ast }: Schema.Schema.All): ReadonlyMap<string, string> =>
  new Map(
    AST.getPropertySignatures(AST.isTransformation(ast) ? ast.to : ast).flatMap((property) =>
      Option.match(AST.getDescriptionAnnotation(property), {
        onNone: () => [],
        onSome: (description) => [[String(property.name), description] as const]
      })
    )
  )

/** What the contract says of each operation, by its id. */
const reflected = <Id extends string, Groups extends HttpApiGroup.HttpApiGroup.Any, E, R>(
  api: HttpApi.HttpApi<Id, Groups, E, R>
) => {
  const found = new Map<string, Known>()
  HttpApi.reflect(api, {
    onGroup: () => undefined,
    onEndpoint: ({ group, endpoint, middleware, mergedAnnotations }) => {
      found.set(`${group.identifier}.${endpoint.name}`, {
        authenticated: [...middleware].some((tag) => tag.key === Authentication.key),
        scope: Option.getOrUndefined(Context.getOption(mergedAnnotations, RequiredScope)),
        descriptions: Option.match(endpoint.urlParamsSchema, { onNone: () => new Map(), onSome: propertyDescriptions })
      })
    }
  })
  return found
}

/** A parameter without a description of its own has that of its type. */
const described =
  (spec: Spec, { descriptions }: Known) =>
  (parameter: Operation["parameters"][number]) => {
    const name = /"#\/components\/schemas\/(\w+)"/.exec(JSON.stringify(parameter.schema))?.[1]
    const { description: own, ...schema } = plain(parameter.schema)
    const description = descriptions.get(parameter.name) ?? own ?? spec.components.schemas[name ?? ""]?.description
    return { ...parameter, ...(description === undefined ? {} : { description }), schema }
  }

/**
 * Adds to the derived document what the derivation does not know: problem documents, headers,
 * credentials, scopes. Takes out what it says too much.
 */
export const toDocument = <Id extends string, Groups extends HttpApiGroup.HttpApiGroup.Any, E, R>(
  spec: Spec,
  api: HttpApi.HttpApi<Id, Groups, E, R>
) => {
  const operations = reflected(api)
  const finished = (operation: Operation) => {
    const known = operations.get(operation.operationId)
    if (known === undefined) return operation
    const { authenticated, scope } = known
    return {
      ...operation,
      parameters: operation.parameters.map(described(spec, known)),
      responses: responses(spec, operation, authenticated),
      security: authenticated ? Object.keys(securitySchemes).map((name) => ({ [name]: [] })) : [],
      ...(scope === undefined ? {} : { "x-required-scope": scope })
    }
  }
  const paths = Object.fromEntries(
    Object.entries(spec.paths).map(([path, item]) => [
      path,
      Object.fromEntries(Object.entries(item).map(([method, operation]) => [method, finished(operation)]))
    ])
  )
  const schemas = Object.entries(spec.components.schemas).filter(([name]) => !foreign.has(name))
  const text = JSON.stringify([paths, problemSchema, schemas])
  const used = schemas.filter(([name]) => text.includes(`"#/components/schemas/${name}"`))
  return {
    ...spec,
    paths,
    components: {
      schemas: {
        ...Object.fromEntries(used.map(([name, schema]) => [name, plain(schema)])),
        Problem: problemSchema
      },
      headers: sharedHeaders,
      securitySchemes
    }
  }
}
