import { HttpApi, type HttpRouter } from "@effect/platform"
import { Context } from "effect"
import { Api } from "../api/Api.ts"
import { RateGroup } from "../api/Security.ts"

type Route = HttpRouter.Route<unknown, unknown>

const nameOf = ({ method, path }: { readonly method: string; readonly path: string }) => `${method} ${path}`

const annotated = new Map<string, typeof RateGroup.Service>()
HttpApi.reflect(Api, {
  onGroup: () => undefined,
  onEndpoint: ({ endpoint, mergedAnnotations }) => {
    annotated.set(nameOf(endpoint), Context.get(mergedAnnotations, RateGroup))
  }
})

const groups = new WeakMap<Route, typeof RateGroup.Service>()

/** The group that the contract gives to the endpoint of a route. */
export const rateGroupOf = (route: Route): typeof RateGroup.Service => {
  const known = groups.get(route)
  if (known !== undefined) return known
  const group = annotated.get(nameOf(route)) ?? "default"
  groups.set(route, group)
  return group
}
