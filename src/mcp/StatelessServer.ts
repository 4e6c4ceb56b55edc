import { ProtocolError, Server, type ServerContext } from "@modelcontextprotocol/server"
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/server/validators/ajv"
import type { Runtime } from "effect"
import { capabilities, type Handled, handlers, progressTo } from "./Handlers.ts"
import type { Refused, Surface } from "./Surface.ts"
import { callerOf } from "./transport/Caller.ts"

const handled = ({ http, mcpReq: { signal, _meta, notify } }: ServerContext): Handled => ({
  caller: callerOf(http?.authInfo),
  signal,
  progress: progressTo(_meta?.progressToken, (params) => notify({ method: "notifications/progress", params }))
})

const jsonSchemaValidator = new AjvJsonSchemaValidator()

/** Since 2026-07-28 a resource that is not there is a parameter that is not valid. */
const codeOf = ({ code }: Refused) => (code === -32002 ? -32602 : code)

/** A surface as servers of 2026-07-28, one for each request. */
export const statelessServers = (surface: Surface, runtime: Runtime.Runtime<never>) => {
  const answers = handlers({
    surface,
    runtime,
    thrown: (refused) => new ProtocolError(codeOf(refused), refused.message, refused.data)
  })
  return (): Server => {
    const { info, instructions } = surface
    const server = new Server(info, { capabilities, instructions, jsonSchemaValidator })
    server.setRequestHandler("tools/list", answers.listTools)
    server.setRequestHandler("tools/call", ({ params }, context) =>
      answers.callTool(params.name, params.arguments, handled(context))
    )
    server.setRequestHandler("resources/list", ({ params }, context) =>
      answers.listResources(params?.cursor, handled(context))
    )
    server.setRequestHandler("resources/templates/list", answers.listTemplates)
    server.setRequestHandler("resources/read", ({ params }, context) =>
      answers.readResource(params.uri, handled(context))
    )
    server.setRequestHandler("prompts/list", answers.listPrompts)
    server.setRequestHandler("prompts/get", ({ params }, context) =>
      answers.getPrompt(params.name, params.arguments ?? {}, handled(context))
    )
    server.setRequestHandler("completion/complete", ({ params }, context) =>
      answers.complete(params.ref, params.argument, handled(context))
    )
    return server
  }
}
