import { join } from "node:path"
import Pg from "pg"
import * as KeyFormat from "../src/identity/KeyFormat.ts"
import type { LoadOptions, LoadResult } from "./load/Requests.ts"
import { type Benchmark, interleaved, type Row, ratioRow } from "./support/Benchmark.ts"
import { answering, bun, freePort, result, start, withFolder } from "./support/Children.ts"
import { superuser } from "./support/Superuser.ts"

/** Many and short, because the difference is small beside what a busy machine does from one second to the next. */
const ROUNDS = 31
const COLD_ROUNDS = 7
const WARM_UPS = 5
const KEYS = 100_000

/** So many keys of the first user, in the database and in a file. */
const fill = async (data_dir: string, keys_file: string) => {
  const keys = Array.from({ length: KEYS }, () => KeyFormat.make())
  await Bun.write(keys_file, keys.join("\n"))
  const client = new Pg.Client(await superuser(data_dir))
  await client.connect()
  await client.query(
    `insert into api_keys (id, org_id, user_id, name, prefix, hash, scopes)
      select uuidv7(), k.org_id, k.user_id, 'bench', k.prefix, h.hash, k.scopes
      from (select * from api_keys limit 1) k, unnest($1::text[]) as h(hash)`,
    [keys.map(KeyFormat.hash)]
  )
  await client.query("analyze api_keys")
  await client.end()
}

export const auth: Benchmark = {
  name: "auth",
  about:
    "Requests per second over 32 keep-alive connections to two equal endpoints of one small HttpApi, one of them behind the service's own admission: authentication, rate limits, quotas, back-off (real layers, real database). With a warm cache one key is sent all the time; with a cold one every request sends another key, which the service has to look up in the database.",
  run: () =>
    withFolder(async (folder) => {
      const port = await freePort()
      const base_url = `http://127.0.0.1:${port}`
      const log = join(folder, "auth.log")
      const data_dir = join(folder, "data")
      const api_key = KeyFormat.make()
      // Limits that are on, and that nobody reaches: what they cost belongs to the figure.
      const child = start(bun("floors/Authenticated.ts"), log, {
        PORT: String(port),
        DATA_DIR: data_dir,
        BOOTSTRAP_API_KEY: api_key,
        RATE_LIMIT_REQUESTS_PER_MINUTE: "600000",
        RATE_LIMIT_BURST_SIZE: "600000"
      })
      try {
        await answering(`${base_url}/open`, child, log)
        const load = async (path: string, keys_file?: string) => {
          // The open route gets the same header: its bytes are no part of the middleware.
          const headers = { "x-api-key": api_key }
          const options: LoadOptions = { base_url, path, headers, keys_file, clients: 32, seconds: 1, status: 200 }
          return (await result<LoadResult>("load/Requests.ts", options)).per_second
        }
        const compared = async (rounds: number, keys_file?: string): Promise<Pick<Row, "ours" | "floor">> =>
          interleaved(
            rounds,
            { ours: () => load("/authenticated", keys_file), floor: () => load("/open", keys_file) },
            WARM_UPS
          )
        const rows = [
          ratioRow("32 clients, warm cache", "requests/s", await compared(ROUNDS), { must: 0.8, aim: 0.95 })
        ]
        const keys_file = join(folder, "keys")
        await fill(data_dir, keys_file)
        return [
          ...rows,
          ratioRow("the same with 100,000 keys in the table", "requests/s", await compared(ROUNDS), {
            must: 0.8,
            aim: 0.95
          }),
          ratioRow(
            "the same, cold cache: another of them with every request",
            "requests/s",
            await compared(COLD_ROUNDS, keys_file),
            undefined
          )
        ]
      } finally {
        await child.stop()
      }
    })
}
