import { Server } from "@modelcontextprotocol/sdk/server/index.js"
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js"
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  CreateMessageResultSchema,
  ElicitResultSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
  type ServerNotification,
  type ServerRequest,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema
} from "@modelcontextprotocol/sdk/types.js"
import {
  failure,
  noInput,
  plainTools,
  prompts,
  resources,
  steps,
  template,
  templated,
  text,
  wideSchema
} from "./Content.ts"

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>
type Content = (typeof plainTools)[keyof typeof plainTools]

interface Tool {
  readonly inputSchema?: { readonly type: "object"; readonly [keyword: string]: unknown }
  readonly call: (
    input: Readonly<Record<string, unknown>>,
    extra: Extra
  ) => Promise<{ content: Content; isError?: boolean }>
}

const elicited = async (extra: Extra, properties: object, required: Array<string> = []) => {
  const answer = await extra.sendRequest(
    {
      method: "elicitation/create",
      params: { message: "Please fill this in", requestedSchema: { type: "object", properties, required } as never }
    },
    ElicitResultSchema
  )
  return { content: [text(`User response: ${answer.action} ${JSON.stringify(answer.content ?? {})}`)] }
}

const options = (names: ReadonlyArray<string>) => names.map((name) => ({ const: name, title: name.toUpperCase() }))

const tools: Readonly<Record<string, Tool>> = {
  ...Object.fromEntries(
    Object.entries(plainTools).map(([name, content]) => [name, { call: async () => ({ content }) }])
  ),
  test_error_handling: { call: async () => failure },
  json_schema_2020_12_tool: {
    inputSchema: wideSchema,
    call: async (input) => ({ content: [text(JSON.stringify(input))] })
  },
  test_tool_with_logging: {
    call: async (_, { sendNotification }) => {
      for (const data of ["Tool execution started", "Tool processing data", "Tool execution completed"])
        await sendNotification({ method: "notifications/message", params: { level: "info", data } })
      return { content: [text("logged")] }
    }
  },
  test_tool_with_progress: {
    call: async (_, { sendNotification, _meta }) => {
      const progressToken = _meta?.progressToken
      if (progressToken !== undefined)
        for (const progress of steps)
          await sendNotification({
            method: "notifications/progress",
            params: { progressToken, progress, total: 100 }
          })
      return { content: [text("done")] }
    }
  },
  test_reconnection: {
    call: async (_, { closeSSEStream }) => {
      // The answer is then kept for who comes back.
      closeSSEStream?.()
      return { content: [text("answered after the stream was closed")] }
    }
  },
  test_sampling: {
    inputSchema: { type: "object", properties: { prompt: { type: "string" } }, required: ["prompt"] },
    call: async ({ prompt }, { sendRequest }) => {
      const messages = [{ role: "user" as const, content: text(String(prompt)) }]
      const { content } = await sendRequest(
        { method: "sampling/createMessage", params: { messages, maxTokens: 100 } },
        CreateMessageResultSchema
      )
      return { content: [text(`LLM response: ${JSON.stringify(content)}`)] }
    }
  },
  test_elicitation: {
    inputSchema: { type: "object", properties: { message: { type: "string" } }, required: ["message"] },
    call: (_, extra) =>
      elicited(
        extra,
        {
          username: { type: "string", description: "User's response" },
          email: { type: "string", description: "User's email address" }
        },
        ["username", "email"]
      )
  },
  test_elicitation_sep1034_defaults: {
    call: (_, extra) =>
      elicited(extra, {
        name: { type: "string", default: "John Doe" },
        age: { type: "integer", default: 30 },
        score: { type: "number", default: 95.5 },
        status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
        verified: { type: "boolean", default: true }
      })
  },
  test_elicitation_sep1330_enums: {
    call: (_, extra) =>
      elicited(extra, {
        untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
        titledSingle: { type: "string", oneOf: options(["value1", "value2", "value3"]) },
        legacyEnum: {
          type: "string",
          enum: ["opt1", "opt2", "opt3"],
          enumNames: ["Option One", "Option Two", "Option Three"]
        },
        untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2", "option3"] } },
        titledMulti: { type: "array", items: { anyOf: options(["value1", "value2", "value3"]) } }
      })
  }
}

/** What the suite asks of a server of the session era. */
export const sessionFixture = (): Server => {
  const server = new Server(
    { name: "conformance-fixture", version: "1.0.0" },
    { capabilities: { tools: {}, resources: { subscribe: true }, prompts: {}, completions: {}, logging: {} } }
  )
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: Object.entries(tools).map(([name, { inputSchema = noInput }]) => ({ name, description: name, inputSchema }))
  }))
  server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) => {
    const tool = tools[params.name]
    if (tool === undefined) throw new McpError(-32602, `there is no tool ${params.name}`)
    return tool.call(params.arguments ?? {}, extra)
  })
  server.setRequestHandler(ListResourcesRequestSchema, () => ({
    resources: Object.entries(resources).map(([uri, { mimeType }]) => ({ uri, name: uri, mimeType }))
  }))
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: [{ uriTemplate: template, name: "template" }]
  }))
  server.setRequestHandler(ReadResourceRequestSchema, ({ params: { uri } }) => {
    const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1]
    const found = id === undefined ? resources[uri as keyof typeof resources] : templated(id)
    if (found === undefined) throw new McpError(-32002, `there is no resource ${uri}`, { uri })
    return { contents: [{ uri, ...found }] }
  })
  server.setRequestHandler(SubscribeRequestSchema, () => ({}))
  server.setRequestHandler(UnsubscribeRequestSchema, () => ({}))
  server.setRequestHandler(ListPromptsRequestSchema, () => ({
    prompts: Object.entries(prompts).map(([name, prompt]) => ({
      name,
      description: name,
      arguments: prompt.arguments.map((argument) => ({ name: argument, required: true }))
    }))
  }))
  server.setRequestHandler(GetPromptRequestSchema, ({ params }) => {
    const prompt = prompts[params.name]
    if (prompt === undefined) throw new McpError(-32602, `there is no prompt ${params.name}`)
    return prompt.render(params.arguments ?? {})
  })
  server.setRequestHandler(CompleteRequestSchema, () => ({ completion: { values: ["paris"], hasMore: false } }))
  return server
}
