// `bun run bench [name…]`: measures, and brings results.json and RESULTS.md up to date.
import { readFile, writeFile } from "node:fs/promises"
import { accuracy } from "./Accuracy.ts"
import { auth } from "./Auth.ts"
import { coldStart } from "./ColdStart.ts"
import { ingestSmall } from "./IngestSmall.ts"
import { mcp } from "./Mcp.ts"
import { pipeline } from "./Pipeline.ts"
import { pipelineLatency } from "./PipelineLatency.ts"
import { read } from "./Read.ts"
import { load, type Measured, machine, report } from "./support/Report.ts"
import { upload } from "./Upload.ts"
import { uploadRss } from "./UploadRss.ts"

const benchmarks = [upload, uploadRss, ingestSmall, auth, coldStart, read, mcp, pipeline, pipelineLatency, accuracy]
const results = new URL("results.json", import.meta.url)
const table = new URL("RESULTS.md", import.meta.url)

const names = process.argv.slice(2)
const unknown = names.filter((name) => !benchmarks.some((one) => one.name === name))
if (unknown.length > 0) {
  console.error(`no benchmark ${unknown.join(", ")}; there are ${benchmarks.map(({ name }) => name).join(", ")}`)
  process.exit(1)
}

const rowsOf = (measured: Measured) =>
  report([measured])
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .join("\n")

const earlier = async (): Promise<ReadonlyArray<Measured>> =>
  readFile(results, "utf8").then(
    (text) => JSON.parse(text),
    () => []
  )

for (const { name, about, run } of benchmarks.filter((one) => names.length === 0 || names.includes(one.name))) {
  console.log(`${name} …`)
  const before = load()
  const rows = await run()
  const date = new Date().toISOString().slice(0, 10)
  const measured: Measured = { name, about, date, machine: await machine(), load: (before + load()) / 2, rows }
  const others = (await earlier()).filter((one) => one.name !== name)
  const order = benchmarks.map((one) => one.name)
  const all = [...others, measured].toSorted((one, other) => order.indexOf(one.name) - order.indexOf(other.name))
  await writeFile(results, `${JSON.stringify(all, null, 2)}\n`)
  await writeFile(table, report(all))
  console.log(rowsOf(measured))
}
process.exit()
