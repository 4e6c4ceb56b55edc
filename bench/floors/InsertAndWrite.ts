// The floor of `ingest-small`: per request one fsynced file and one row, in a bare Bun handler.
import { open } from "node:fs/promises"
import { join } from "node:path"
import Pg from "pg"

interface Options {
  readonly port: number
  readonly folder: string
  readonly database: Pg.PoolConfig
}

const { port, folder, database }: Options = JSON.parse(process.argv[2] ?? "{}")
const pool = new Pg.Pool({ ...database, max: 30 })
await pool.query(
  "create table if not exists uploads (id uuid primary key, size_bytes bigint not null, at timestamptz default now())"
)

Bun.serve({
  hostname: "127.0.0.1",
  port,
  fetch: async (request) => {
    if (request.method === "GET") return new Response("ready")
    const id = Bun.randomUUIDv7()
    const bytes = new Uint8Array(await request.arrayBuffer())
    const file = await open(join(folder, id), "wx")
    await file.write(bytes)
    await file.sync()
    await file.close()
    await pool.query("insert into uploads (id, size_bytes) values ($1, $2)", [id, bytes.length])
    return Response.json({ id }, { status: 201 })
  }
})
