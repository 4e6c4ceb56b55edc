import type { PipelineOptions, PipelineResult } from "./load/Pipeline.ts"
import { type Benchmark, interleaved, ratioRow } from "./support/Benchmark.ts"
import { result } from "./support/Children.ts"

const ROUNDS = 5

const pass = async (mode: PipelineOptions["mode"]) => {
  const options: PipelineOptions = { mode, times: 24, rounds: 4 }
  return (await result<PipelineResult>("load/Pipeline.ts", options)).megabytes_per_second
}

export const pipeline: Benchmark = {
  name: "pipeline",
  about:
    "MB of recording per second, from bytes to recognised actions (adapters, merging, redaction, episodes, BUILTIN/lexical with the actions of four applications), over the labelled recordings repeated to 45,000 events. The floor is `JSON.parse` of every line of the same bytes.",
  run: async () => {
    const samples = await interleaved(ROUNDS, { ours: () => pass("pipeline"), floor: () => pass("parse") }, 1)
    return [ratioRow("bytes to actions", "MB/s", samples, { must: 0.25, aim: 0.5 })]
  }
}
