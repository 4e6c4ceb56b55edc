// The floor of `upload` to files: one body, one file, one fsync. `bun bench/floors/WriteFile.ts {"port":…,"folder":…}`
import { open } from "node:fs/promises"
import { join } from "node:path"

const { port, folder }: { readonly port: number; readonly folder: string } = JSON.parse(process.argv[2] ?? "{}")

Bun.serve({
  hostname: "127.0.0.1",
  port,
  maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  idleTimeout: 0,
  fetch: async (request) => {
    if (request.body === null) return new Response("ready")
    const file = await open(join(folder, "body"), "w")
    const reader = request.body.getReader()
    for (let read = await reader.read(); !read.done; read = await reader.read()) await file.write(read.value)
    await file.sync()
    await file.close()
    return Response.json({ id: "body" }, { status: 201 })
  }
})
