import {
  acceptedContent,
  createRequestStateCodec,
  fromJsonSchema,
  inputRequired,
  McpServer,
  ResourceTemplate,
  type ServerContext
} from "@modelcontextprotocol/server"
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

type ToolResult = Awaited<ReturnType<Parameters<McpServer["registerTool"]>[2]>>
type Requests = NonNullable<Parameters<typeof inputRequired>[0]["inputRequests"]>

/** What a call that needs answers keeps between its rounds. */
const states = createRequestStateCodec<{ readonly round: number }>({ key: crypto.getRandomValues(new Uint8Array(32)) })

const said = (of: string) => ({ content: [text(of)] })

const asked = (message: string, field: string) =>
  inputRequired.elicit({
    message,
    requestedSchema: { type: "object", properties: { [field]: { type: "string" } }, required: [field] }
  })

const sampled = (of: string, maxTokens: number) =>
  inputRequired.createMessage({ messages: [{ role: "user", content: text(of) }], maxTokens })

const answered = ({ mcpReq }: ServerContext, key: string) => acceptedContent(mcpReq.inputResponses, key)

/** Asks until every request has an answer of the name. */
const until = (context: ServerContext, inputRequests: Requests, done: string, requestState?: string) =>
  Object.keys(inputRequests).every((key) => context.mcpReq.inputResponses?.[key] !== undefined)
    ? said(done)
    : inputRequired({ inputRequests, ...(requestState === undefined ? {} : { requestState }) })

const confirmed = inputRequired.elicit({
  message: "Please confirm",
  requestedSchema: { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] }
})

const confirmation = async (context: ServerContext, done: string) =>
  context.mcpReq.requestState() !== undefined && answered(context, "confirm") !== undefined
    ? said(done)
    : inputRequired({
        inputRequests: { confirm: confirmed },
        requestState: await states.mint({ round: 1 })
      })

const tools: Readonly<Record<string, (context: ServerContext) => Promise<ToolResult> | ToolResult>> = {
  ...Object.fromEntries(Object.entries(plainTools).map(([name, content]) => [name, () => ({ content })])),
  test_error_handling: () => failure,
  test_tool_with_progress: async ({ mcpReq: { _meta, notify } }) => {
    const progressToken = _meta?.progressToken
    if (progressToken !== undefined)
      for (const progress of steps)
        await notify({ method: "notifications/progress", params: { progressToken, progress, total: 100 } })
    return said("done")
  },
  test_missing_capability: (context) =>
    until(context, { answer: sampled("Reply with the single word: pong", 16) }, "sampled"),
  test_streaming_elicitation: () => said("nothing but this answer"),
  test_logging_tool: async ({ mcpReq }) => {
    await mcpReq.log("info", "only for who asked for logs")
    return said("logged")
  },
  test_input_required_result_elicitation: (context) => {
    const name = answered(context, "user_name")?.["name"]
    return typeof name === "string"
      ? said(`Hello, ${name}!`)
      : inputRequired({ inputRequests: { user_name: asked("What is your name?", "name") } })
  },
  test_input_required_result_sampling: (context) =>
    until(context, { capital_question: sampled("What is the capital of France?", 100) }, "sampled"),
  test_input_required_result_list_roots: (context) =>
    until(context, { client_roots: inputRequired.listRoots() }, "roots received"),
  test_input_required_result_request_state: (context) => confirmation(context, "state-ok"),
  test_input_required_result_tampered_state: (context) => confirmation(context, "state-ok"),
  test_input_required_result_multiple_inputs: async (context) =>
    until(
      context,
      {
        user_name: asked("What is your name?", "name"),
        greeting: sampled("Generate a greeting", 50),
        client_roots: inputRequired.listRoots()
      },
      "all received",
      await states.mint({ round: 1 })
    ),
  test_input_required_result_multi_round: async (context) => {
    const round = context.mcpReq.requestState<{ round: number }>()?.round ?? 0
    const questions = [asked("Step 1: What is your name?", "name"), asked("Step 2: What is your color?", "color")]
    const next = questions[round]
    return next === undefined
      ? said("Multi-round complete")
      : inputRequired({
          inputRequests: { [`step${round + 1}`]: next },
          requestState: await states.mint({ round: round + 1 })
        })
  }
}

const mirrored = {
  type: "object" as const,
  properties: {
    region: { type: "string" as const, "x-mcp-header": "Region" },
    level: { type: "integer" as const }
  }
}

/** What the suite asks of a server of 2026-07-28. */
export const statelessFixture = (): McpServer => {
  const server = new McpServer(
    { name: "conformance-fixture", version: "1.0.0" },
    {
      capabilities: {
        tools: { listChanged: false },
        resources: { listChanged: false },
        prompts: { listChanged: false },
        completions: {},
        logging: {}
      },
      cacheHints: { "tools/list": { ttlMs: 60_000, cacheScope: "public" } },
      requestState: { verify: states.verify }
    }
  )
  const inputSchema = fromJsonSchema(noInput)
  for (const [name, call] of Object.entries(tools))
    server.registerTool(name, { description: name, inputSchema }, (_, context) => call(context))
  server.registerTool(
    "test_input_required_result_capabilities",
    { description: "asks only for what the client can answer", inputSchema },
    (_, context) => {
      const can = server.server.getClientCapabilities()
      return until(
        context,
        {
          ...(can?.elicitation === undefined ? {} : { user_name: asked("What is your name?", "name") }),
          ...(can?.sampling === undefined ? {} : { greeting: sampled("Generate a greeting", 50) })
        },
        "nothing more to ask"
      )
    }
  )
  server.registerTool(
    "test_x_mcp_header",
    { description: "an argument that a header names too", inputSchema: fromJsonSchema(mirrored) },
    (input) => said(JSON.stringify(input))
  )
  server.registerTool(
    "json_schema_2020_12_tool",
    { description: "a schema of many keywords", inputSchema: fromJsonSchema(wideSchema) },
    (input) => said(JSON.stringify(input))
  )
  for (const [uri, content] of Object.entries(resources))
    server.registerResource(uri, uri, { mimeType: content.mimeType }, () => ({ contents: [{ uri, ...content }] }))
  server.registerResource("template", new ResourceTemplate(template, { list: undefined }), {}, ({ href }, { id }) => ({
    contents: [{ uri: href, ...templated(String(id)) }]
  }))
  for (const [name, prompt] of Object.entries(prompts))
    server.registerPrompt(
      name,
      {
        description: name,
        argsSchema: fromJsonSchema<Record<string, string>>({
          type: "object",
          properties: Object.fromEntries(prompt.arguments.map((argument) => [argument, { type: "string" }])),
          required: [...prompt.arguments]
        })
      },
      (input) => prompt.render(input)
    )
  server.registerPrompt(
    "test_input_required_result_prompt",
    { description: "asks before it answers", argsSchema: fromJsonSchema(noInput) },
    (_, context) => {
      const of = answered(context, "user_context")?.["context"]
      return typeof of === "string"
        ? { messages: [{ role: "user", content: text(`Use the following context: ${of}`) }] }
        : inputRequired({ inputRequests: { user_context: asked("What context should the prompt use?", "context") } })
    }
  )
  server.server.setRequestHandler("completion/complete", () => ({
    completion: { values: ["paris"], hasMore: false }
  }))
  return server
}
