import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import Pg from "pg"
import type { LoadOptions, LoadResult } from "./load/Requests.ts"
import { type Benchmark, interleaved, ratioRow } from "./support/Benchmark.ts"
import { answering, bun, freePort, result, start, withFolder } from "./support/Children.ts"
import { startService } from "./support/Service.ts"

const ROUNDS = 15
/** Until the compiler has seen enough of either side: a busy machine gives it little time. */
const WARM_UPS = 12

/** A database of the floor's own on the server that the service started. */
const ownDatabase = async (data_dir: string): Promise<Pg.PoolConfig> => {
  const home = join(data_dir, "postgres")
  const { postgres: password }: { readonly postgres: string } = await Bun.file(join(home, "credentials.json")).json()
  const server = { host: join(home, "data"), user: "postgres", password }
  const client = new Pg.Client({ ...server, database: "postgres" })
  await client.connect()
  await client.query("create database bench")
  await client.end()
  return { ...server, database: "bench" }
}

export const ingestSmall: Benchmark = {
  name: "ingest-small",
  about:
    "Sessions of 20 KB per second, 32 keep-alive clients, each durable before it is answered. The floor is a bare Bun handler with `pg` on the same PostgreSQL: one fsynced file and one inserted row per request.",
  run: () =>
    withFolder(async (folder) => {
      const service = await startService(folder)
      const port = await freePort()
      const base_url = `http://127.0.0.1:${port}`
      const log = join(folder, "floor.log")
      const files = join(folder, "floor")
      await mkdir(files)
      const database = await ownDatabase(service.data_dir)
      const floor = start(bun("floors/InsertAndWrite.ts", { port, folder: files, database }), log)
      try {
        await answering(base_url, floor, log)
        const load = async (base_url: string) => {
          const options: LoadOptions = {
            base_url,
            path: "/v1/sessions",
            headers: { "x-api-key": service.api_key },
            upload: { suite_id: service.suite_id, bytes: 20_000 },
            clients: 32,
            seconds: 2,
            status: 201
          }
          return (await result<LoadResult>("load/Requests.ts", options)).per_second
        }
        const samples = await interleaved(
          ROUNDS,
          { ours: () => load(service.base_url), floor: () => load(base_url) },
          WARM_UPS
        )
        return [ratioRow("32 clients", "sessions/s", samples, { must: 0.3, aim: 0.6 })]
      } finally {
        await floor.stop()
        await service.stop()
      }
    })
}
