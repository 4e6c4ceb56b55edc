// The floor of `mcp`: the SDKs' own servers on Bun's routes, with the same SQL in their one tool.
import { randomUUID } from "node:crypto"
import { Server as SessionServer } from "@modelcontextprotocol/sdk/server/index.js"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import { CallToolRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { createMcpHandler, Server } from "@modelcontextprotocol/server"
import Pg from "pg"

interface Options {
  readonly port: number
  readonly database: Pg.PoolConfig
  readonly org_id: string
}

const { port, database, org_id }: Options = JSON.parse(process.argv[2] ?? "{}")
const pool = new Pg.Pool({ ...database, max: 30 })
const info = { name: "floor", version: "1.0.0" }
const capabilities = { tools: {} }

const listSuites = async (limit: unknown) => {
  const { rows } = await pool.query(
    `select id, name, description, version, base_url,
        case when on_upload_model_id is not null then json_build_object('model_id', on_upload_model_id) end as on_upload,
        created_at, updated_at, created_at::text as position
      from suites where org_id = $1 order by created_at desc, id desc limit $2`,
    [org_id, Number(limit) + 1]
  )
  const structuredContent = { items: rows.slice(0, Number(limit)), next_cursor: null }
  return { content: [{ type: "text" as const, text: JSON.stringify(structuredContent) }], structuredContent }
}

const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>()

const begin = async () => {
  const transport = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => {
      sessions.set(id, transport)
    }
  })
  const server = new SessionServer(info, { capabilities })
  server.setRequestHandler(CallToolRequestSchema, ({ params }) => listSuites(params.arguments?.["limit"]))
  await server.connect(transport)
  return transport
}

const stateless = createMcpHandler(
  () => {
    const server = new Server(info, { capabilities })
    server.setRequestHandler("tools/call", ({ params }) => listSuites(params.arguments?.["limit"]))
    return server
  },
  { legacy: "reject" }
)

Bun.serve({
  hostname: "127.0.0.1",
  port,
  routes: {
    "/": () => new Response("ready"),
    "/session": async (request) => {
      const transport = sessions.get(request.headers.get("mcp-session-id") ?? "") ?? (await begin())
      return transport.handleRequest(request)
    },
    "/stateless": (request) => stateless.fetch(request)
  }
})
