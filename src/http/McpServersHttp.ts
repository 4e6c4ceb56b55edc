import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { McpServerSurfaces } from "../capability/McpServerSurfaces.ts"
import { McpServers } from "../capability/McpServers.ts"
import { Tools } from "../capability/Tools.ts"
import { AppliedMcpServer } from "../domain/capability/Surface.ts"
import { applied } from "./Applied.ts"

export const layer = HttpApiBuilder.group(Api, "mcp_servers", (handlers) =>
  Effect.gen(function* () {
    const servers = yield* McpServers
    const surfaces = yield* McpServerSurfaces
    const tools = yield* Tools
    return handlers
      .handle("create", ({ payload }) => servers.create(payload))
      .handle("put", ({ payload }) => applied(AppliedMcpServer)(surfaces.put(payload)))
      .handle("list", ({ urlParams }) => servers.list(urlParams))
      .handle("get", ({ path }) => servers.get(path.id))
      .handle("update", ({ path, payload }) => servers.update(path.id, payload))
      .handle("delete", ({ path }) => servers.delete(path.id))
      .handle("capabilities", ({ path, urlParams }) => tools.capabilities(path.id, urlParams))
  })
)
