import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { NeededByMaps } from "../domain/capability/ActionToolMap.ts"
import {
  CreateMcpServer,
  Environment,
  McpServer,
  McpServerNameTaken,
  ServerStatus,
  Transport,
  UpdateMcpServer
} from "../domain/capability/McpServer.ts"
import { AppliedMcpServer, PutMcpServer } from "../domain/capability/Surface.ts"
import { Capability, CapabilityKind, ToolNameTaken } from "../domain/capability/Tool.ts"
import { NotFound } from "../domain/Errors.ts"
import { McpServerId } from "../domain/Ids.ts"
import { Text } from "../domain/Json.ts"
import { Page, pageFields, SearchText } from "../domain/Page.ts"
import { Authentication, RequiredScope } from "./Security.ts"

const path = Schema.Struct({ id: McpServerId })
const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/** MCP servers: the catalogue of what agents can use. */
export class McpServersApi extends HttpApiGroup.make("mcp_servers")
  .annotate(OpenApi.Description, "The catalogue of MCP servers: how they are reached, never what they are opened with")
  .add(
    HttpApiEndpoint.post("create", "/v1/mcp/servers")
      .annotate(OpenApi.Summary, "Register an MCP server")
      .setPayload(CreateMcpServer)
      .addSuccess(McpServer, { status: 201 })
      .addError(McpServerNameTaken)
      .annotate(RequiredScope, "servers:write")
  )
  .add(
    HttpApiEndpoint.put("put", "/v1/mcp/servers")
      .annotate(OpenApi.Summary, "Make a server and all its tools what they shall be, found by its name")
      .setPayload(PutMcpServer)
      .addSuccess(AppliedMcpServer)
      .addSuccess(AppliedMcpServer, { status: 201 })
      .addError(McpServerNameTaken)
      .addError(ToolNameTaken)
      .addError(NeededByMaps)
      .annotate(RequiredScope, "servers:write")
  )
  .add(
    HttpApiEndpoint.get("list", "/v1/mcp/servers")
      .annotate(OpenApi.Summary, "List MCP servers, newest first")
      .setUrlParams(
        Schema.Struct({
          ...pageFields,
          status: optional(ServerStatus).annotations({ description: "Only in this state" }),
          transport: optional(Transport).annotations({ description: "Only what is spoken to in this way" }),
          environment: optional(Environment).annotations({ description: "Only of this environment" }),
          tag: optional(Text(1, 100).annotations({ description: "Only what has this tag" })),
          q: SearchText
        })
      )
      .addSuccess(Page("McpServerPage", McpServer))
      .annotate(RequiredScope, "servers:read")
  )
  .add(
    HttpApiEndpoint.get("get", "/v1/mcp/servers/:id")
      .annotate(OpenApi.Summary, "Read an MCP server")
      .setPath(path)
      .addSuccess(McpServer)
      .addError(NotFound)
      .annotate(RequiredScope, "servers:read")
  )
  .add(
    HttpApiEndpoint.patch("update", "/v1/mcp/servers/:id")
      .annotate(OpenApi.Summary, "Change an MCP server")
      .setPath(path)
      .setPayload(UpdateMcpServer)
      .addSuccess(McpServer)
      .addError(NotFound)
      .addError(McpServerNameTaken)
      .annotate(RequiredScope, "servers:write")
  )
  .add(
    HttpApiEndpoint.del("delete", "/v1/mcp/servers/:id")
      .annotate(OpenApi.Summary, "Delete an MCP server that no map needs")
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .addError(NeededByMaps)
      .annotate(RequiredScope, "servers:write")
  )
  .add(
    HttpApiEndpoint.get("capabilities", "/v1/mcp/servers/:id/capabilities")
      .annotate(OpenApi.Summary, "List what a server offers: tools, resources, prompts")
      .setPath(path)
      .setUrlParams(
        Schema.Struct({
          ...pageFields,
          kind: optional(CapabilityKind).annotations({ description: "Only of this kind" }),
          q: SearchText
        })
      )
      .addSuccess(Page("CapabilityPage", Capability))
      .addError(NotFound)
      .annotate(RequiredScope, "servers:read")
  )
  .middleware(Authentication) {}
