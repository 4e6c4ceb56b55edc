import { HttpApi, type HttpApiGroup, type OpenApi } from "@effect/platform"
import { Context, Option } from "effect"
import { Authentication, RequiredScope, securitySchemes } from "./Security.ts"

type Operation = OpenApi.OpenAPISpecOperation

const problemSchema = {
  type: "object",
  description: "An RFC 9457 problem document. `_tag` names the typed error, whose own fields stand beside these.",
  required: ["type", "title", "status", "code", "_tag"],
  properties: {
    type: { type: "string", format: "uri-reference" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    instance: { type: "string", format: "uri-reference" },
    code: { type: "string", description: "snake_case, stable" },
    request_id: { type: "string" },
    _tag: { type: "string" },
    errors: {
      type: "array",
      items: {
        type: "object",
        required: ["path", "message"],
        properties: { path: { type: "string" }, message: { type: "string" } }
      }
    }
  }
}

/** The framework's own decode error never leaves the service: the rim turns it into ours. */
const withoutDecodeError = (schema: unknown): ReadonlyArray<unknown> => {
  const members =
    typeof schema === "object" && schema !== null && "anyOf" in schema && Array.isArray(schema.anyOf)
      ? schema.anyOf
      : [schema]
  return members.filter((member) => !JSON.stringify(member).includes("HttpApiDecodeError"))
}

const asProblem = (schema: unknown) => {
  const members = withoutDecodeError(schema)
  return { allOf: [{ $ref: "#/components/schemas/Problem" }, ...(members.length > 1 ? [{ anyOf: members }] : members)] }
}

const withProblems = (operation: Operation): Operation => ({
  ...operation,
  responses: Object.fromEntries(
    Object.entries(operation.responses).map(([status, response]) => {
      const content = Object.values(response.content ?? {})[0]
      return Number(status) < 400 || content === undefined
        ? [status, response]
        : [status, { ...response, content: { "application/problem+json": { schema: asProblem(content.schema) } } }]
    })
  )
})

/** Scope and credentials of each operation, by its id. */
const guards = <Id extends string, Groups extends HttpApiGroup.HttpApiGroup.Any, E, R>(
  api: HttpApi.HttpApi<Id, Groups, E, R>
) => {
  const found = new Map<string, { readonly authenticated: boolean; readonly scope: string | undefined }>()
  HttpApi.reflect(api, {
    onGroup: () => undefined,
    onEndpoint: ({ group, endpoint, middleware, mergedAnnotations }) => {
      found.set(`${group.identifier}.${endpoint.name}`, {
        authenticated: [...middleware].some((tag) => tag.key === Authentication.key),
        scope: Option.getOrUndefined(Context.getOption(mergedAnnotations, RequiredScope))
      })
    }
  })
  return found
}

/** Adds to the derived document what the derivation does not know: problem documents, credentials, scopes. */
export const toDocument = <Id extends string, Groups extends HttpApiGroup.HttpApiGroup.Any, E, R>(
  spec: OpenApi.OpenAPISpec,
  api: HttpApi.HttpApi<Id, Groups, E, R>
) => {
  const known = guards(api)
  const guarded = (operation: Operation) => {
    const guard = known.get(operation.operationId)
    return guard?.authenticated
      ? {
          ...operation,
          security: Object.keys(securitySchemes).map((name) => ({ [name]: [] })),
          ...(guard.scope === undefined ? {} : { "x-required-scope": guard.scope })
        }
      : operation
  }
  const paths = Object.fromEntries(
    Object.entries(spec.paths).map(([path, item]) => [
      path,
      Object.fromEntries(Object.entries(item).map(([method, operation]) => [method, guarded(withProblems(operation))]))
    ])
  )
  const { HttpApiDecodeError: _decode, Issue: _issue, ...schemas } = spec.components.schemas
  return {
    ...spec,
    paths,
    components: { schemas: { ...schemas, Problem: problemSchema }, securitySchemes }
  }
}
