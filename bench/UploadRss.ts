import { writeFile } from "node:fs/promises"
import type { UploadResult } from "./load/Uploads.ts"
import { type Benchmark, median, notRun, type Row } from "./support/Benchmark.ts"
import { result, withFolder } from "./support/Children.ts"
import { environmentFor, NO_S3_SERVER, withS3Server } from "./support/S3Server.ts"
import { startService } from "./support/Service.ts"

const MIB = 1024 ** 2
const ROUNDS = 3
const SAMPLE_EVERY_MS = 50

interface Load {
  readonly what: string
  readonly bytes: number
  readonly at_once: number
}

const loads: ReadonlyArray<Load> = [
  { what: "1 × 4 GiB", bytes: 4096 * MIB, at_once: 1 },
  { what: "8 × 512 MiB at once", bytes: 512 * MIB, at_once: 8 }
]

/** A process's memory in MiB: now, and its highest since the last reset. */
const memory = async (pid: number) => {
  const status = await Bun.file(`/proc/${pid}/status`).text()
  const value = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024
  return { now: value("VmRSS"), highest: value("VmHWM") }
}

/** What one load adds to a fresh process at its highest. */
const added = (environment: Readonly<Record<string, string>>, { bytes, at_once }: Load) =>
  withFolder(async (folder) => {
    const service = await startService(folder, environment)
    try {
      await Bun.sleep(1000)
      const idle = (await memory(service.pid)).now
      // What the start took at its highest is not what the upload takes.
      await writeFile(`/proc/${service.pid}/clear_refs`, "5").catch(() => undefined)
      let highest = 0
      const timer = setInterval(async () => {
        highest = Math.max(highest, (await memory(service.pid)).now)
      }, SAMPLE_EVERY_MS)
      const { base_url, api_key, suite_id } = service
      const options = { base_url, api_key, suite_id, kind: "recording", bytes, at_once }
      const sent = await result<UploadResult>("load/Uploads.ts", options)
      clearInterval(timer)
      const peak = Math.max(highest, (await memory(service.pid)).highest) - idle
      for (const id of sent.session_ids) await service.delete(id)
      return { idle, peak }
    } finally {
      await service.stop()
    }
  })

const measure = async (
  store: string,
  environment: Readonly<Record<string, string>>,
  target: { must: number; aim: number }
) => {
  const rows: Array<Row> = []
  for (const load of loads) {
    const samples: Array<{ readonly idle: number; readonly peak: number }> = []
    for (let round = 0; round < ROUNDS; round++) samples.push(await added(environment, load))
    const ours = samples.map(({ peak }) => peak)
    rows.push({
      what: `${load.what}, ${store}`,
      unit: "MiB",
      ours,
      floor: samples.map(({ idle }) => idle),
      figure: median(ours),
      target: { kind: "at_most", unit: "MiB", ...target }
    })
  }
  return rows
}

export const uploadRss: Benchmark = {
  name: "upload-rss",
  about:
    "Resident memory of the service's process above idle, at its highest during the upload (sampled every 50 ms, and the kernel's own high-water mark); a fresh process each time. The floor column is the idle process.",
  run: () =>
    withFolder((folder) =>
      withS3Server(folder, async (server) => [
        ...(await measure("to files", {}, { must: 256, aim: 128 })),
        ...(server === undefined
          ? [notRun("to S3", NO_S3_SERVER)]
          : await measure("to S3", environmentFor(server), { must: 400, aim: 200 }))
      ])
    )
}
