import { Effect } from "effect"
import type { Change, PutMcpServer, PutSuite, Surface } from "../../domain/capability/Surface.ts"
import { everything, type TypedClient } from "../Remote.ts"
import { widenedServer, widenedSuite } from "./Widened.ts"

/** What one PUT came to, for a person. */
export interface Applied {
  readonly kind: "suite" | "server" | "map"
  readonly name: string
  readonly change: typeof Change.Type
  readonly detail: string
}

const count = (things: ReadonlyArray<unknown>, noun: string) =>
  `${things.length} ${noun}${things.length === 1 ? "" : "s"}`

/** Makes the service's surface equal to the file's. Doing it twice changes nothing. */
export const apply = (api: TypedClient, { suite, servers, maps }: Surface) => {
  const putSuite = (payload: PutSuite) =>
    Effect.map(
      api.suites.put({ payload }),
      ({ name, change, actions }): Applied => ({ kind: "suite", name, change, detail: count(actions, "action") })
    )

  const putServer = (payload: PutMcpServer) =>
    Effect.map(
      api.mcp_servers.put({ payload }),
      ({ name, change, tools }): Applied => ({ kind: "server", name, change, detail: count(tools, "tool") })
    )

  const sides = Effect.all([putSuite(suite), ...servers.map(putServer)])

  const bound = Effect.forEach(maps, (map) =>
    Effect.map(
      api.action_tool_maps.put({ payload: { ...map, suite: suite.name } }),
      ({ name, change, version, mappings }): Applied => ({
        kind: "map",
        name,
        change,
        detail: `version ${version}, ${count(mappings, "mapping")}`
      })
    )
  )

  const widenSuite = Effect.gen(function* () {
    const found = yield* everything((at) => api.suites.list({ urlParams: { limit: 100, ...at } }))
    const suite_id = found.find(({ name }) => name === suite.name)?.id
    if (suite_id === undefined) return suite
    return widenedSuite(
      suite,
      yield* everything((at) => api.actions.list({ path: { suite_id }, urlParams: { limit: 100, ...at } }))
    )
  })

  const widenServers = Effect.gen(function* () {
    const found = yield* everything((at) => api.mcp_servers.list({ urlParams: { limit: 100, ...at } }))
    return yield* Effect.forEach(servers, (server) => {
      const server_id = found.find(({ name }) => name === server.name)?.id
      return server_id === undefined
        ? Effect.succeed(server)
        : Effect.map(
            everything((at) => api.tools.list({ path: { server_id }, urlParams: { limit: 100, ...at } })),
            (tools) => widenedServer(server, tools)
          )
    })
  })

  // What the file drops may be what a map of the file has used until now: both sides first get what is
  // new, then the maps move over, then both sides lose what is old.
  const inSteps = Effect.gen(function* () {
    yield* putSuite(yield* widenSuite)
    yield* Effect.forEach(yield* widenServers, putServer)
    const moved = yield* bound
    return [...(yield* sides), ...moved]
  })

  return Effect.zipWith(sides, bound, (both, moved): ReadonlyArray<Applied> => [...both, ...moved]).pipe(
    Effect.catchTag("NeededByMaps", () => inSteps)
  )
}
