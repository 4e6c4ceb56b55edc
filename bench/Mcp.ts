import { join } from "node:path"
import Pg from "pg"
import type { LoadOptions, LoadResult } from "./load/Requests.ts"
import { type Benchmark, interleaved, median, type Row, ratioRow } from "./support/Benchmark.ts"
import { answering, bun, freePort, result, start, withFolder } from "./support/Children.ts"
import { startService } from "./support/Service.ts"
import { superuser } from "./support/Superuser.ts"

const CLIENTS = 16
const ROUNDS = 11
const WARM_UPS = 3

const accept = "application/json, text/event-stream"
const call = { name: "list_suites", arguments: { limit: 5 } }
const client = { name: "bench", version: "1.0.0" }

const initialize = {
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: client }
}

/** One session for each client, begun at this address. */
const begin = (url: string, headers: Readonly<Record<string, string>>) =>
  Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const sent = { ...headers, accept, "content-type": "application/json" }
      const response = await fetch(url, { method: "POST", headers: sent, body: JSON.stringify(initialize) })
      await response.text()
      const id = response.headers.get("mcp-session-id")
      if (id === null) throw new Error(`${url} began no session: ${response.status}`)
      return { "mcp-session-id": id, "mcp-protocol-version": "2025-11-25" }
    })
  )

const inSession = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: call })

const stateless = {
  json: JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: {
      ...call,
      _meta: {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": client,
        "io.modelcontextprotocol/clientCapabilities": {}
      }
    }
  }),
  headers: { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "list_suites" }
}

/** The answer of one call, to see that what is measured works. */
const tried = async (url: string, headers: Readonly<Record<string, string>>, body: string) => {
  const sent = { ...headers, accept, "content-type": "application/json" }
  const text = await (await fetch(url, { method: "POST", headers: sent, body })).text()
  if (!text.includes('\\"Bench\\"')) throw new Error(`${url} answered ${text}`)
}

export const mcp: Benchmark = {
  name: "mcp",
  about:
    "Calls per second of the tool `list_suites` (a page of suites out of the database) by 16 clients over keep-alive connections: stateless (2026-07-28), and each in a session of its own (2025-11-25). The floor is a bare server of the SDK of that era on Bun's routes, without authentication, limits or validation, whose tool runs the same SQL on the same database. The last rows are the 99th percentiles.",
  run: () =>
    withFolder(async (folder) => {
      const service = await startService(folder)
      const pg = new Pg.Client(await superuser(service.data_dir))
      await pg.connect()
      const { rows } = await pg.query<{ org_id: string }>("select org_id from suites limit 1")
      await pg.end()
      const port = await freePort()
      const floor_url = `http://127.0.0.1:${port}`
      const log = join(folder, "floor.log")
      const floor = start(
        bun("floors/McpServer.ts", { port, database: await superuser(service.data_dir), org_id: rows[0]?.org_id }),
        log
      )
      try {
        await answering(floor_url, floor, log)
        const key = { "x-api-key": service.api_key }
        const ours = { url: `${service.base_url}/mcp`, sessions: await begin(`${service.base_url}/mcp`, key) }
        const theirs = { url: `${floor_url}/session`, sessions: await begin(`${floor_url}/session`, {}) }
        await tried(ours.url, { ...key, ...ours.sessions[0] }, inSession)
        await tried(theirs.url, { ...theirs.sessions[0] }, inSession)
        await tried(ours.url, { ...key, ...stateless.headers }, stateless.json)
        await tried(`${floor_url}/stateless`, stateless.headers, stateless.json)

        const load = (base_url: string, path: string, more: Partial<LoadOptions>) => {
          const options: LoadOptions = {
            base_url,
            path,
            headers: {},
            clients: CLIENTS,
            seconds: 2,
            status: 200,
            ...more
          }
          return result<LoadResult>("load/Requests.ts", options)
        }
        const eras = [
          [
            "stateless",
            () =>
              load(service.base_url, "/mcp", {
                json: stateless.json,
                headers: { ...key, accept, ...stateless.headers }
              }),
            () => load(floor_url, "/stateless", { json: stateless.json, headers: { accept, ...stateless.headers } })
          ],
          [
            "in a session",
            () =>
              load(service.base_url, "/mcp", {
                json: inSession,
                headers: { ...key, accept },
                headers_of_clients: ours.sessions
              }),
            () =>
              load(floor_url, "/session", { json: inSession, headers: { accept }, headers_of_clients: theirs.sessions })
          ]
        ] as const
        const table: Array<Row> = []
        const slow: Array<Row> = []
        for (const [what, ofOurs, ofFloor] of eras) {
          const p99 = { ours: [] as Array<number>, floor: [] as Array<number> }
          const taken = async (side: "ours" | "floor", run: () => Promise<LoadResult>) => {
            const { per_second, p99_ms } = await run()
            p99[side].push(p99_ms)
            return per_second
          }
          const samples = await interleaved(
            ROUNDS,
            { ours: () => taken("ours", ofOurs), floor: () => taken("floor", ofFloor) },
            WARM_UPS
          )
          table.push(ratioRow(`tools/call, ${what}`, "calls/s", samples, { must: 0.5, aim: 0.8 }))
          const [mine, bare] = [p99.ours.slice(WARM_UPS), p99.floor.slice(WARM_UPS)]
          slow.push({
            what: `tools/call, ${what}, p99`,
            unit: "ms",
            ours: mine,
            floor: bare,
            figure: median(mine) / median(bare),
            target: { kind: "at_most", unit: "×", must: 2 }
          })
        }
        return [...table, ...slow]
      } finally {
        await floor.stop()
        await service.stop()
      }
    })
}
