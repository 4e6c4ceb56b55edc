import { SqlClient } from "@effect/sql"
import canonicalize from "canonicalize"
import { Effect } from "effect"
import { transportOf } from "../domain/capability/Connection.ts"
import { type McpServer, McpServerNameTaken } from "../domain/capability/McpServer.ts"
import { AppliedMcpServer, type PutMcpServer } from "../domain/capability/Surface.ts"
import type { CreateTool, Tool } from "../domain/capability/Tool.ts"
import { CapabilityId } from "../domain/Ids.ts"
import { all, CurrentPrincipal, scope, unrestricted, withPolicy } from "../domain/Principal.ts"
import { Audit } from "../identity/Audit.ts"
import { Id } from "../platform/Id.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { difference, isEmpty } from "./Difference.ts"
import { type McpServerRow, McpServersRepo } from "./McpServersRepo.ts"
import { ToolsRepo } from "./ToolsRepo.ts"
import { ToolWrites } from "./ToolWrites.ts"

// As text, not as canonical JSON: the order of a schema's properties is the order of the parameters.
const described = ({ title, description, input_schema, output_schema, annotations }: CreateTool | Tool) =>
  JSON.stringify([title, description, input_schema, output_schema, annotations])

const sameTool = (before: Tool, after: CreateTool) => described(before) === described(after)

const sameServer = (before: McpServer, after: McpServerRow) =>
  canonicalize({ ...after }) ===
  canonicalize(Object.fromEntries(Object.entries(before).filter(([key]) => Object.hasOwn(after, key))))

/** MCP servers with all their tools, made to equal what they shall be. */
export class McpServerSurfaces extends Effect.Service<McpServerSurfaces>()("capability/McpServerSurfaces", {
  dependencies: [McpServersRepo.Default, ToolsRepo.Default, ToolWrites.Default, Audit.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const servers = yield* McpServersRepo
    const tools = yield* ToolsRepo
    const writes = yield* ToolWrites
    const audit = yield* Audit

    /** The server of that name under its lock, made when there is none. */
    const ensured = (wanted: McpServerRow) =>
      Effect.gen(function* () {
        const { org_id } = yield* CurrentPrincipal
        const found = yield* servers.lockNamed(org_id, wanted.name)
        if (found !== undefined) return { server: found, created: false }
        const made = yield* servers.insertNew(org_id, wanted)
        if (made !== undefined) return { server: made, created: true }
        // Another request made it in between; it is committed, and can be locked and read now.
        const other = yield* servers.lockNamed(org_id, wanted.name)
        if (other === undefined) return yield* new McpServerNameTaken({ name: wanted.name })
        return { server: other, created: false }
      })

    /** Makes a server and its tools equal to the body; the same body twice changes nothing. */
    const put = Effect.fn("McpServerSurfaces.put")(
      function* ({ tools: wanted, ...fields }: PutMcpServer) {
        const row: McpServerRow = { ...fields, transport: yield* transportOf(fields) }
        return yield* Effect.gen(function* () {
          const { org_id } = yield* CurrentPrincipal
          const { server: before, created } = yield* ensured(row)
          const of = { org_id, server_id: before.id }
          // What the server says of itself stays.
          const old = (yield* tools.all(of)).filter(({ source }) => source === "manual")
          const change = difference(old, wanted, sameTool)
          if (!created && sameServer(before, row) && isEmpty(change)) {
            return new AppliedMcpServer({ ...before, tools: old, change: "unchanged" })
          }
          yield* writes.remove(of, change.removed)
          yield* writes.save(of, [
            ...change.changed.map(({ before, after }) => ({ ...after, id: before.id })),
            ...change.added.map((tool) => ({ ...tool, id: CapabilityId.make(id.next()) }))
          ])
          const after = created ? before : yield* servers.update(org_id, before.id, row)
          const now = (yield* tools.all(of)).filter(({ source }) => source === "manual")
          const applied = new AppliedMcpServer({ ...after, tools: now, change: created ? "created" : "updated" })
          yield* audit.record({
            action: created ? "mcp_server.create" : "mcp_server.update",
            resource: `mcp_server/${before.id}`,
            ...(created ? {} : { before: { ...before, tools: old } }),
            after: applied
          })
          return applied
        }).pipe(sql.withTransaction, orDefect)
      },
      withPolicy(all(scope("servers:write"), unrestricted))
    )

    return { put } as const
  })
}) {}
