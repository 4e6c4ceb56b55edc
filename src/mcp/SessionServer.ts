import { Server } from "@modelcontextprotocol/sdk/server/index.js"
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js"
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
  type ServerNotification,
  type ServerRequest
} from "@modelcontextprotocol/sdk/types.js"
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/ajv"
import type { Runtime } from "effect"
import { capabilities, type Handled, handlers, progressTo } from "./Handlers.ts"
import type { ResourceLink, Surface, TextContent } from "./Surface.ts"
import { callerOf, versionOf } from "./transport/Caller.ts"

const handled = ({
  authInfo,
  signal,
  _meta,
  sendNotification
}: RequestHandlerExtra<ServerRequest, ServerNotification>): Handled => ({
  caller: callerOf(authInfo),
  signal,
  progress: progressTo(_meta?.progressToken, (params) => sendNotification({ method: "notifications/progress", params }))
})

/** The first version that knows links in what tools answer: clients of those before refuse the whole answer. */
const linksSince = "2025-06-18"

const linkText = ({ name, uri, description }: ResourceLink): string =>
  `${name}: ${uri}${description === undefined ? "" : ` (${description})`}`

const unlinked = (part: TextContent | ResourceLink): TextContent =>
  part.type === "text" ? part : { type: "text", text: linkText(part) }

// Each server would make its own, and none is used: this service asks its clients nothing.
const jsonSchemaValidator = new AjvJsonSchemaValidator()

/** A surface as servers of the session era, one for each session. */
export const sessionServers = (surface: Surface, runtime: Runtime.Runtime<never>) => {
  const answers = handlers({
    surface,
    runtime,
    thrown: ({ code, message, data }) => new McpError(code, message, data)
  })
  return (): Server => {
    const { info, instructions } = surface
    const server = new Server(info, { capabilities, instructions, jsonSchemaValidator })
    server.setRequestHandler(ListToolsRequestSchema, answers.listTools)
    server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
      const answer = await answers.callTool(params.name, params.arguments, handled(extra))
      return versionOf(extra.authInfo) < linksSince ? { ...answer, content: answer.content.map(unlinked) } : answer
    })
    server.setRequestHandler(ListResourcesRequestSchema, ({ params }, extra) =>
      answers.listResources(params?.cursor, handled(extra))
    )
    server.setRequestHandler(ListResourceTemplatesRequestSchema, answers.listTemplates)
    server.setRequestHandler(ReadResourceRequestSchema, ({ params }, extra) =>
      answers.readResource(params.uri, handled(extra))
    )
    server.setRequestHandler(ListPromptsRequestSchema, answers.listPrompts)
    server.setRequestHandler(GetPromptRequestSchema, ({ params }, extra) =>
      answers.getPrompt(params.name, params.arguments ?? {}, handled(extra))
    )
    server.setRequestHandler(CompleteRequestSchema, ({ params }, extra) =>
      answers.complete(params.ref, params.argument, handled(extra))
    )
    return server
  }
}
