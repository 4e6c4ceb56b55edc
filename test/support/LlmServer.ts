import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect } from "effect"

/** One request to the server, told the same for every protocol. */
export interface LlmCall {
  readonly path: string
  readonly headers: Headers
  /** As it came. */
  readonly text: string
  readonly system: string
  readonly user: string
  /** The JSON schema that the answer must fit. */
  readonly schema: unknown
}

/** What the server does with a request. */
export type LlmReply =
  /** Answers with this object. */
  | { readonly object: unknown }
  /** Answers with a text that need not be JSON. */
  | { readonly text: string; readonly finish?: "length" }
  /** Answers without any content. */
  | { readonly empty: true }
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly message: string }
  /** A 200 whose body is not of the protocol. */
  | { readonly garbage: string }
  /** No answer until the client gives up. */
  | { readonly hang: true }
  /** Begins an answer and breaks the connection. */
  | { readonly cut: true }
  | { readonly redirect: string }

export interface LlmServer {
  /** Without a path. */
  readonly origin: string
  readonly calls: Array<LlmCall>
  /** The key that it takes; null: none is needed. */
  key: string | null
  /** Replace it to make faults; it sees every request in order, counted from 0. */
  reply: (call: LlmCall, at: number) => LlmReply | Promise<LlmReply>
  /** Requests that are being answered now, and the most that were at once. */
  readonly open: () => { readonly now: number; readonly most: number }
}

export const llmKey = "sk-fake-key-of-the-tests"
/** What every answer is said to have used. */
export const llmUsage = { tokens_in: 1200, tokens_out: 80 }

/** How one provider's protocol asks and answers. */
interface Protocol {
  readonly path: RegExp
  readonly key: (headers: Headers) => string | null
  /** What the provider would refuse. */
  readonly invalid: (body: Body, headers: Headers) => string | undefined
  readonly read: (body: Body) => { readonly system: string; readonly user: string; readonly schema: unknown }
  readonly write: (text: string | undefined, finish: "stop" | "length", body: Body) => unknown
  readonly problem: (status: number, message: string) => unknown
}

// What a client sent: looked into as JSON is, member by member.
// biome-ignore lint/suspicious/noExplicitAny: the body of a request is whatever came
type Body = any

const bearer = (headers: Headers) => headers.get("authorization")?.replace(/^Bearer /, "") ?? null

const openAiProblem = (status: number, message: string) => ({
  error: { message, type: "invalid_request_error", code: status === 401 ? "invalid_api_key" : null, param: null }
})

const isStrict = (schema: Body): boolean =>
  schema?.type !== "object" ||
  (schema.additionalProperties === false &&
    Object.keys(schema.properties).every((name) => schema.required.includes(name)) &&
    Object.values(schema.properties).every((property: Body) => isStrict(property.items ?? property)))

const responses: Protocol = {
  path: /^\/v1\/responses$/,
  key: bearer,
  invalid: ({ model, input, text, store }) => {
    if (typeof model !== "string" || !Array.isArray(input)) return "model and input are required"
    if (text?.format?.type !== "json_schema" || text.format.strict !== true) return "a strict json_schema is expected"
    if (store !== false) return "store must be false here"
    return isStrict(text.format.schema) ? undefined : "strict schemas need every property in required"
  },
  read: ({ input, text }) => ({
    system: input.find(({ role }: Body) => role === "system" || role === "developer").content,
    user: input.find(({ role }: Body) => role === "user").content[0].text,
    schema: text.format.schema
  }),
  write: (text, finish, { model }) => ({
    id: "resp_1",
    object: "response",
    created_at: 1_780_000_000,
    status: finish === "length" ? "incomplete" : "completed",
    error: null,
    incomplete_details: finish === "length" ? { reason: "max_output_tokens" } : null,
    instructions: null,
    metadata: {},
    model,
    output:
      text === undefined
        ? []
        : [
            {
              type: "message",
              id: "msg_1",
              status: "completed",
              role: "assistant",
              content: [{ type: "output_text", text, annotations: [], logprobs: [] }]
            }
          ],
    parallel_tool_calls: true,
    temperature: 0,
    tool_choice: "none",
    tools: [],
    top_p: 1,
    usage: {
      input_tokens: llmUsage.tokens_in,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: llmUsage.tokens_out,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: llmUsage.tokens_in + llmUsage.tokens_out
    }
  }),
  problem: openAiProblem
}

const chatCompletions: Protocol = {
  path: /\/chat\/completions$/,
  key: (headers) => headers.get("api-key") ?? bearer(headers),
  invalid: ({ model, messages, response_format }) => {
    if (typeof model !== "string" || !Array.isArray(messages)) return "model and messages are required"
    if (response_format?.type !== "json_schema") return undefined
    return isStrict(response_format.json_schema.schema) ? undefined : "the schema is not strict"
  },
  read: ({ messages, response_format }) => ({
    system: messages.find(({ role }: Body) => role === "system").content,
    user: messages.find(({ role }: Body) => role === "user").content,
    schema: response_format?.json_schema?.schema
  }),
  write: (text, finish, { model }) => ({
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1_780_000_000,
    model,
    choices: [{ index: 0, message: { role: "assistant", content: text ?? null }, finish_reason: finish }],
    usage: {
      prompt_tokens: llmUsage.tokens_in,
      completion_tokens: llmUsage.tokens_out,
      total_tokens: llmUsage.tokens_in + llmUsage.tokens_out
    }
  }),
  problem: openAiProblem
}

const messages: Protocol = {
  path: /^\/v1\/messages$/,
  key: (headers) => headers.get("x-api-key"),
  invalid: ({ model, max_tokens, messages, tools, tool_choice }, headers) => {
    if (headers.get("anthropic-version") === null) return "anthropic-version: header is required"
    if (typeof model !== "string" || typeof max_tokens !== "number" || !Array.isArray(messages)) {
      return "model, max_tokens and messages are required"
    }
    return tool_choice?.type === "tool" && tools?.[0]?.name === tool_choice.name ? undefined : "a tool is expected"
  },
  read: ({ system, messages, tools }) => ({
    system: typeof system === "string" ? system : system.map(({ text }: Body) => text).join(""),
    user: messages[0].content.map(({ text }: Body) => text).join(""),
    schema: tools[0].input_schema
  }),
  write: (text, finish, { model, tools }) => ({
    id: "msg_1",
    type: "message",
    role: "assistant",
    model,
    content:
      text === undefined ? [] : [{ type: "tool_use", id: "toolu_1", name: tools[0].name, input: objectOf(text) }],
    stop_reason: finish === "length" ? "max_tokens" : "tool_use",
    stop_sequence: null,
    container: null,
    context_management: null,
    usage: {
      input_tokens: llmUsage.tokens_in,
      output_tokens: llmUsage.tokens_out,
      cache_creation: null,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      server_tool_use: null,
      service_tier: "standard"
    }
  }),
  problem: (status, message) => ({
    type: "error",
    error: { type: status === 401 ? "authentication_error" : "api_error", message },
    request_id: "req_1"
  })
}

const generateContent: Protocol = {
  path: /^\/v1beta\/models\/[^/]+:generateContent$/,
  key: (headers) => headers.get("x-goog-api-key"),
  invalid: ({ contents, generationConfig }) => {
    if (!Array.isArray(contents)) return "contents is not specified"
    if (generationConfig?.responseMimeType !== "application/json") return "a JSON answer is expected"
    return JSON.stringify(generationConfig.responseSchema).includes("additionalProperties")
      ? 'Unknown name "additionalProperties" at generation_config.response_schema'
      : undefined
  },
  read: ({ systemInstruction, contents, generationConfig }) => ({
    system: systemInstruction.parts[0].text,
    user: contents[0].parts[0].text,
    schema: generationConfig.responseSchema
  }),
  write: (text, finish) => ({
    candidates: [
      {
        ...(text === undefined ? {} : { content: { role: "model", parts: [{ text }] } }),
        finishReason: finish === "length" ? "MAX_TOKENS" : "STOP",
        index: 0
      }
    ],
    usageMetadata: {
      promptTokenCount: llmUsage.tokens_in,
      candidatesTokenCount: llmUsage.tokens_out,
      totalTokenCount: llmUsage.tokens_in + llmUsage.tokens_out
    },
    modelVersion: "gemini"
  }),
  problem: (status, message) => ({ error: { code: status, message, status: "INVALID_ARGUMENT" } })
}

const protocols = [responses, chatCompletions, messages, generateContent]

/** A tool's input is an object whatever the model wrote. */
const objectOf = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return { text }
  }
}

interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly text: string
  /** Breaks the connection in the middle. */
  readonly cut?: true
}

const json = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  text: JSON.stringify(body)
})

const answerOf = (protocol: Protocol, reply: Exclude<LlmReply, { readonly hang: true }>, body: Body): Answer => {
  if ("object" in reply) return json(200, protocol.write(JSON.stringify(reply.object), "stop", body))
  if ("text" in reply) return json(200, protocol.write(reply.text, reply.finish ?? "stop", body))
  if ("empty" in reply) return json(200, protocol.write(undefined, "stop", body))
  if ("status" in reply) return json(reply.status, protocol.problem(reply.status, reply.message), reply.headers)
  if ("garbage" in reply) return { status: 200, headers: { "content-type": "text/html" }, text: reply.garbage }
  if ("redirect" in reply) return { status: 307, headers: { location: reply.redirect }, text: "" }
  return { ...json(200, protocol.write("{}", "stop", body)), cut: true }
}

const send = ({ status, headers, text, cut }: Answer, response: ServerResponse) => {
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(text) })
  if (cut) response.write(text.slice(0, text.length / 2), () => response.destroy())
  else response.end(text)
}

const open = async () => {
  const count = { now: 0, most: 0 }
  const fake: { -readonly [Key in keyof LlmServer]: LlmServer[Key] } = {
    origin: "",
    calls: [],
    key: llmKey,
    reply: () => ({ empty: true }),
    open: () => count
  }
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Array<Uint8Array> = []
    for await (const chunk of request) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString()
    const { pathname } = new URL(request.url ?? "", "http://fake")
    const sent = new Headers(
      Object.entries(request.headers).map(([name, value]): [string, string] => [name, String(value)])
    )
    if (request.method === "GET" && pathname.endsWith("/models")) {
      const isKnown = protocols.some(({ key }) => key(sent) === fake.key)
      return send(isKnown ? json(200, { data: [] }) : json(401, openAiProblem(401, "no")), response)
    }
    const protocol = protocols.find(({ path }) => path.test(pathname))
    if (protocol === undefined) return send(json(404, { error: { message: `there is no ${pathname}` } }), response)
    const body: Body = JSON.parse(text)
    const unknown = json(401, protocol.problem(401, `Incorrect API key: ${protocol.key(sent)}`))
    if (protocol.key(sent) !== fake.key) return send(unknown, response)
    const invalid = protocol.invalid(body, sent)
    if (invalid !== undefined) return send(json(400, protocol.problem(400, invalid)), response)
    const { system, user, schema } = protocol.read(body)
    const call: LlmCall = { path: pathname, headers: sent, text, system, user, schema }
    fake.calls.push(call)
    count.now += 1
    count.most = Math.max(count.most, count.now)
    response.on("close", () => {
      count.now -= 1
    })
    const reply = await fake.reply(call, fake.calls.length - 1)
    if (!("hang" in reply)) send(answerOf(protocol, reply, body), response)
  }
  const server = createServer((request, response) => {
    // A client that goes away is part of the tests.
    handle(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  // Listening on a port, it has an address of this kind.
  fake.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { fake, server }
}

/** A server that speaks the protocols of OpenAI, Anthropic, Google, and plain `/chat/completions`. */
export const llmServer = Effect.acquireRelease(Effect.promise(open), ({ server }) =>
  Effect.sync(() => {
    server.closeAllConnections()
    server.close()
  })
).pipe(Effect.map(({ fake }): LlmServer => fake))
