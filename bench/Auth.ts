import { join } from "node:path"
import * as KeyFormat from "../src/identity/KeyFormat.ts"
import type { LoadOptions, LoadResult } from "./load/Requests.ts"
import { type Benchmark, interleaved, ratioRow } from "./support/Benchmark.ts"
import { answering, bun, freePort, result, start, withFolder } from "./support/Children.ts"

/** Many and short, because the difference is small beside what a busy machine does from one second to the next. */
const ROUNDS = 31
const WARM_UPS = 5

export const auth: Benchmark = {
  name: "auth",
  about:
    "Requests per second over 32 keep-alive connections to two equal endpoints of one small HttpApi, one of them behind the service's own authentication (real layers, real database, warm cache).",
  run: () =>
    withFolder(async (folder) => {
      const port = await freePort()
      const base_url = `http://127.0.0.1:${port}`
      const log = join(folder, "auth.log")
      const api_key = KeyFormat.make()
      const child = start(bun("floors/Authenticated.ts"), log, {
        PORT: String(port),
        DATA_DIR: join(folder, "data"),
        BOOTSTRAP_API_KEY: api_key,
        // Every limit is counted, and none is ever reached.
        RATE_LIMIT_REQUESTS_PER_MINUTE: "600000",
        RATE_LIMIT_BURST_SIZE: "600000"
      })
      try {
        await answering(`${base_url}/open`, child, log)
        const load = async (path: string) => {
          // The open route gets the same header: its bytes are no part of the middleware.
          const headers = { "x-api-key": api_key }
          const options: LoadOptions = { base_url, path, headers, clients: 32, seconds: 1, status: 200 }
          return (await result<LoadResult>("load/Requests.ts", options)).per_second
        }
        const samples = await interleaved(
          ROUNDS,
          { ours: () => load("/authenticated"), floor: () => load("/open") },
          WARM_UPS
        )
        return [ratioRow("32 clients", "requests/s", samples, { must: 0.8, aim: 0.95 })]
      } finally {
        await child.stop()
      }
    })
}
