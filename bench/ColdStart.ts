import { join } from "node:path"
import * as KeyFormat from "../src/identity/KeyFormat.ts"
import type { LoadOptions } from "./load/Requests.ts"
import { type Benchmark, median, type Row } from "./support/Benchmark.ts"
import { answering, bun, freePort, result, settle, start, withFolder } from "./support/Children.ts"
import { serve, startService } from "./support/Service.ts"

const ROUNDS = 5

type Start = (folder: string) => Promise<number>

/** Seconds from the command to the first 200. */
const timed = async (
  folder: string,
  path: string,
  command: (port: number) => ReadonlyArray<string>,
  environment: (port: number) => Readonly<Record<string, string>>
) => {
  const port = await freePort()
  const log = join(folder, "start.log")
  await settle()
  const since = performance.now()
  const child = start(command(port), log, environment(port))
  const took = await answering(`http://127.0.0.1:${port}${path}`, child, log, since)
  await child.stop()
  return took / 1000
}

const service: Start = (folder) => {
  const environment = (port: number) => ({
    PORT: String(port),
    DATA_DIR: join(folder, "data"),
    BOOTSTRAP_API_KEY: KeyFormat.make()
  })
  return timed(folder, "/ready", () => serve, environment)
}

const bare: Start = (folder) =>
  timed(
    folder,
    "/",
    (port) => bun("floors/OpenDatabase.ts", { port, folder: join(folder, "bare") }),
    () => ({})
  )

const fill = async (folder: string) => {
  const { base_url, api_key, suite_id, stop } = await startService(folder)
  const options: LoadOptions = {
    base_url,
    path: "/v1/sessions",
    headers: { "x-api-key": api_key },
    upload: { suite_id, bytes: 20_000 },
    clients: 8,
    seconds: 3,
    status: 201
  }
  await result("load/Requests.ts", options)
  await stop()
}

const row = (what: string, ours: ReadonlyArray<number>, floor: ReadonlyArray<number>, must: number): Row => ({
  what,
  unit: "s",
  ours,
  floor,
  figure: median(ours),
  target: { kind: "at_most", unit: "s", must }
})

const rounds = async (once: (side: Start) => Promise<number>) => {
  const samples = { ours: [] as number[], floor: [] as number[] }
  await once(service)
  await once(bare)
  for (let round = 0; round < ROUNDS; round++) {
    samples.ours.push(await once(service))
    samples.floor.push(await once(bare))
  }
  return samples
}

export const coldStart: Benchmark = {
  name: "cold-start",
  about:
    "From the command to the first 200 on /ready: on an empty data folder (the database is made), and on one with some thousand sessions. The floor is a bare Bun script that starts the same bundled PostgreSQL, asks it `select 1` and listens.",
  run: async () => {
    const empty = await rounds((side) => withFolder(side))
    const full = await withFolder(async (folder) => {
      await fill(folder)
      return rounds((side) => side(folder))
    })
    return [row("empty data folder", empty.ours, empty.floor, 3), row("full data folder", full.ours, full.floor, 1.5)]
  }
}
