import type { LoadOptions, LoadResult } from "./load/Requests.ts"
import type { PipelineOptions, PipelineResult } from "./load/Pipeline.ts"
import { type Benchmark, interleaved, median, type Row, ratioRow } from "./support/Benchmark.ts"
import { result, withFolder } from "./support/Children.ts"
import { applied, caller, madeExample, recordingForm } from "./support/Examples.ts"
import { startService } from "./support/Service.ts"

const ROUNDS = 5
const LEXICAL = "01980000-0000-7000-8000-000000000001"

const pass = async (mode: PipelineOptions["mode"]) => {
  const options: PipelineOptions = { mode, times: 24, rounds: 4 }
  return (await result<PipelineResult>("load/Pipeline.ts", options)).megabytes_per_second
}

/** How long small requests take while examples of a long recording are made, against how long they take alone. */
const latency = (): Promise<ReadonlyArray<Row>> =>
  withFolder(async (folder) => {
    const service = await startService(folder, { LOG_REQUESTS: "false" })
    try {
      const call = caller(service)
      const suite_id = await applied(call, "coffee")
      // 800 times a person who looks around and orders little: 45,000 events, and fewer actions than an example may have.
      const form = await recordingForm(suite_id, "coffee-one-espresso", "An espresso, and again", 6000)
      const session: { readonly id: string } = JSON.parse(await call("POST", "/v1/sessions", form))
      const paths = ["/ready", `/v1/suites/${suite_id}`]
      const load = (path: string) => {
        const headers = { "x-api-key": service.api_key }
        const options: LoadOptions = { base_url: service.base_url, path, headers, clients: 1, seconds: 3, status: 200 }
        return result<LoadResult>("load/Requests.ts", options)
      }
      const rows: Array<Row> = []
      for (const path of paths) {
        await load(path)
        const idle = (await load(path)).p99_ms
        let over = false
        const making = (async () => {
          while (!over) await madeExample(call, session.id, LEXICAL)
        })()
        const busy = (await load(path)).p99_ms
        over = true
        await making
        rows.push({
          what: `p99 of ${path.startsWith("/v1") ? "a small read" : path} while an example of a long recording is made`,
          unit: "ms",
          ours: [busy],
          floor: [idle],
          figure: busy / idle,
          target: { kind: "at_most", unit: "×", must: 3 }
        })
      }
      return rows
    } finally {
      await service.stop()
    }
  })

export const pipeline: Benchmark = {
  name: "pipeline",
  about:
    "MB of recording per second, from bytes to recognised actions (adapters, merging, redaction, episodes, BUILTIN/lexical with the actions of four applications), over the labelled recordings repeated to 45,000 events. The floor is `JSON.parse` of every line of the same bytes. The last rows are the 99th percentile of requests while the service makes examples of a recording of 45,000 events, against that of an idle one.",
  run: async () => {
    const samples = await interleaved(ROUNDS, { ours: () => pass("pipeline"), floor: () => pass("parse") }, 1)
    return [
      ratioRow("bytes to actions", "MB/s", samples, { must: 0.25, aim: 0.5 }),
      ...(await latency())
    ]
  }
}
