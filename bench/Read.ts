import { join } from "node:path"
import Pg from "pg"
import type { LoadOptions, LoadResult } from "./load/Requests.ts"
import { type Benchmark, interleaved, median, type Row, ratioRow } from "./support/Benchmark.ts"
import { answering, bun, freePort, result, start, withFolder } from "./support/Children.ts"
import { applied, caller, madeExample, recordingForm } from "./support/Examples.ts"
import { startService } from "./support/Service.ts"
import { superuser } from "./support/Superuser.ts"

const ROUNDS = 7
const WARM_UPS = 4
const LEXICAL = "01980000-0000-7000-8000-000000000001"
const sizes = [
  ["1 k", 1000],
  ["1 M", 1_000_000]
] as const

/** Copies of one example until there are so many: of one suite, with one file. */
const fill = (client: Pg.Client, id: string, count: number) =>
  client.query(
    `insert into examples (id, org_id, session_id, suite_id, model_id, model, action_tool_map_id, map_version,
        storage_path, status, confidence, message_count, content_hash, started_at, completed_at, created_at)
      select uuidv7(), org_id, session_id, suite_id, model_id, model, action_tool_map_id, map_version, storage_path,
        status, confidence, message_count, encode(sha256(n::text::bytea), 'hex'), started_at, completed_at,
        created_at - n * interval '1 second'
      from examples, generate_series(1, $2::int - (select count(*)::int from examples)) as n where examples.id = $1`,
    [id, count]
  )

export const read: Benchmark = {
  name: "read",
  about:
    "Requests per second over 32 keep-alive connections: a page of 20 examples of one suite and state, and one example's messages, among a thousand and a million examples. The floor is a bare Bun handler with the same SQL on the same database, and the same file. The last rows are the 99th percentile among a million against that among a thousand.",
  run: () =>
    withFolder(async (folder) => {
      const service = await startService(folder, { LOG_REQUESTS: "true" })
      const call = caller(service)
      const client = new Pg.Client(await superuser(service.data_dir))
      await client.connect()
      const port = await freePort()
      const base_url = `http://127.0.0.1:${port}`
      const log = join(folder, "floor.log")
      try {
        const suite_id = await applied(call, "coffee")
        const form = await recordingForm(suite_id, "coffee-breakfast", "Breakfast for the team")
        const session: { readonly id: string } = JSON.parse(await call("POST", "/v1/sessions", form))
        const { id } = await madeExample(call, session.id, LEXICAL)
        const { rows } = await client.query<{ org_id: string }>("select org_id from examples limit 1")
        const floor = start(
          bun("floors/ReadExamples.ts", {
            port,
            database: await superuser(service.data_dir),
            objects: join(service.data_dir, "objects"),
            org_id: rows[0]?.org_id
          }),
          log
        )
        await answering(base_url, floor, log)
        const paths = [
          ["a page", `/v1/examples?suite_id=${suite_id}&status=COMPLETED`],
          ["messages", `/v1/examples/${id}/messages`]
        ] as const
        const table: Array<Row> = []
        const slowest = new Map<string, number>()
        for (const [size, count] of sizes) {
          await fill(client, id, count)
          await client.query("vacuum analyze examples")
          for (const [what, path] of paths) {
            const p99: Array<number> = []
            const load = async (base_url: string): Promise<LoadResult> => {
              const headers = { "x-api-key": service.api_key }
              const options: LoadOptions = { base_url, path, headers, clients: 32, seconds: 1, status: 200 }
              return result<LoadResult>("load/Requests.ts", options)
            }
            const samples = await interleaved(
              ROUNDS,
              {
                ours: async () => {
                  const { per_second, p99_ms } = await load(service.base_url)
                  p99.push(p99_ms)
                  return per_second
                },
                floor: async () => (await load(base_url)).per_second
              },
              WARM_UPS
            )
            table.push(ratioRow(`${what}, ${size} examples`, "requests/s", samples, { must: 0.4, aim: 0.7 }))
            slowest.set(`${what} ${size}`, median(p99.slice(WARM_UPS)))
          }
        }
        for (const [what] of paths) {
          const [few, many] = sizes.map(([size]) => slowest.get(`${what} ${size}`) ?? Number.NaN)
          table.push({
            what: `${what}, p99 among 1 M against 1 k`,
            unit: "ms",
            ours: [many ?? Number.NaN],
            floor: [few ?? Number.NaN],
            figure: (many ?? Number.NaN) / (few ?? Number.NaN),
            target: { kind: "at_most", unit: "×", must: 1.5 }
          })
        }
        await floor.stop()
        return table
      } finally {
        await client.end()
        await service.stop()
      }
    })
}
