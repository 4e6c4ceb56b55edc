import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { RedisClient } from "bun"
import { Effect } from "effect"
import { eventually } from "./Eventually.ts"

const external = process.env.TEST_REDIS_URL
const binary = Bun.which("redis-server")

/** Why tests with Redis are skipped here; undefined: they are not. */
export const NO_REDIS =
  external === undefined && binary === null ? "there is no redis-server: install it, or set TEST_REDIS_URL" : undefined

/** Why tests that stop the server are skipped here; undefined: they are not. */
export const NO_OWN_REDIS = binary === null ? "there is no redis-server to stop and start" : undefined

const freePort = Effect.promise(async () => {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() })
  const { port } = server
  await server.stop(true)
  return port ?? 0
})

const answers = (url: string) =>
  Effect.promise(async () => {
    const client = new RedisClient(url, { autoReconnect: false })
    try {
      return (await client.send("PING", [])) === "PONG"
    } catch {
      return false
    } finally {
      client.close()
    }
  })

/** A Redis server of the scope, which can be stopped and started again. */
export const ownRedis = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "tracepipe-redis-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )
  const port = yield* freePort
  const url = `redis://127.0.0.1:${port}`
  const command = [binary ?? "", "--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
  let child: Bun.Subprocess | undefined

  const stop = Effect.promise(async () => {
    child?.kill("SIGKILL")
    await child?.exited
  })
  const start = Effect.suspend(() => {
    child = Bun.spawn(command, { stdio: ["ignore", "ignore", "ignore"] })
    return eventually(answers(url), (ready) => ready)
  })
  yield* Effect.addFinalizer(() => stop)
  yield* start
  return { url, start, stop, signal: (name: "SIGSTOP" | "SIGCONT") => Effect.sync(() => child?.kill(name)) }
})

/** The address of the server at TEST_REDIS_URL, or of one that lives as long as the scope. */
export const redisUrl = external === undefined ? Effect.map(ownRedis, ({ url }) => url) : Effect.succeed(external)
