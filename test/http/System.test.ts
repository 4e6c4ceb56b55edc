import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import manifest from "../../package.json" with { type: "json" }
import { document } from "../../src/api/Api.ts"
import { Format } from "../../src/domain/session/Session.ts"
import { endpoints } from "../support/Contract.ts"
import { client, request, TestServer } from "../support/TestServer.ts"

const { version } = manifest

const json = (path: string, init?: Parameters<typeof request>[1]) =>
  Effect.flatMap(request(path, init), (response) =>
    Effect.promise(async () => ({ status: response.status, body: await response.json() }))
  )

const text = (path: string) =>
  Effect.flatMap(request(path, { api_key: null }), (response) => Effect.promise(() => response.text()))

/** Prometheus' text format, by metric and labels. */
const samples = (exposition: string): ReadonlyMap<string, number> =>
  new Map(
    exposition
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))])
  )

const open = { api_key: null } as const

layer(TestServer.layer())("the service itself", (it) => {
  it.effect("says what it is and where its documentation stands", () =>
    Effect.gen(function* () {
      const { body } = yield* json("/", open)
      expect(body).toEqual({ name: "tracepipe", version, docs: "/docs", openapi: "/openapi.json" })
      for (const path of [body.docs, body.openapi]) expect((yield* request(path, open)).status).toBe(200)
    })
  )

  it.effect("is well, ready and alive, and tells everybody", () =>
    Effect.gen(function* () {
      expect(yield* json("/health", open)).toMatchObject({
        status: 200,
        body: { status: "ok", database: "ok", version }
      })
      expect(yield* json("/ready", open)).toEqual({ status: 200, body: { status: "ok" } })
      expect(yield* json("/live", open)).toEqual({ status: 200, body: { status: "ok" } })
    })
  )

  it.effect("tells of its dependencies to those who have a key", () =>
    Effect.gen(function* () {
      expect((yield* json("/health/detailed", open)).status).toBe(401)
      const { system } = yield* client()
      const health = yield* system.health_detailed()
      expect(health).toMatchObject({ status: "ok", version, active_uploads: 0 })
      expect(health.memory_bytes).toBeGreaterThan(10_000_000)
      const found = health.dependencies.map(({ name, status }) => [name, status])
      expect(found).toEqual(
        expect.arrayContaining([
          ["database", "ok"],
          ["object_store", "ok"],
          ["secret_store", "ok"]
        ])
      )
      const database = health.dependencies.find(({ name }) => name === "database")
      expect(database?.detail).toMatch(/^\d\d/)
    })
  )

  it.effect("lists the formats and limits that it has", () =>
    Effect.gen(function* () {
      const { body } = yield* json("/v1/info", open)
      expect(body).toMatchObject({ version, runtime: `bun ${Bun.version}`, object_store: "file" })
      expect(body.formats).toEqual([...Format.literals])
      expect(body.limits).toEqual({ max_session_bytes: 10 * 1024 ** 3, max_files_per_session: 10_000 })
    })
  )

  it.effect("counts requests by method, route and status, and no path of a caller becomes a label", () =>
    Effect.gen(function* () {
      const count = (labels: string) => `tracepipe_http_request_duration_seconds_count{${labels}}`
      const known = count('method="GET",route="/v1/suites/{id}",status="404"')
      const unknown = count('method="GET",route="unmatched",status="404"')
      const before = samples(yield* text("/metrics"))
      const secret = crypto.randomUUID()
      for (const path of [`/v1/suites/${secret}`, `/v1/suites/${Bun.randomUUIDv7()}`, `/${secret}`])
        yield* request(path)
      const exposition = yield* text("/metrics")
      const after = samples(exposition)
      expect((after.get(known) ?? 0) - (before.get(known) ?? 0)).toBe(2)
      expect((after.get(unknown) ?? 0) - (before.get(unknown) ?? 0)).toBe(1)
      expect(exposition).not.toContain(secret)
      // This request is the one that is being answered.
      expect(after.get("tracepipe_http_requests_active")).toBe(1)
      expect(after.get("process_resident_memory_bytes")).toBeGreaterThan(10_000_000)
      expect(exposition).toMatch(/^# TYPE tracepipe_http_request_duration_seconds histogram$/m)
    })
  )

  it.effect("serves the document of its contract", () =>
    Effect.gen(function* () {
      const { status, body } = yield* json("/openapi.json", open)
      expect(status).toBe(200)
      expect(body).toEqual(JSON.parse(JSON.stringify(document)))
    })
  )

  it.effect("serves documentation that names nothing to be loaded from elsewhere", () =>
    Effect.gen(function* () {
      for (const path of ["/docs", "/redoc"]) {
        const page = yield* text(path)
        const tags = [...page.matchAll(/<(?:script|link|img|iframe)\b[^>]*>/g)].map(([tag]) => tag)
        expect(tags.length, path).toBeGreaterThan(0)
        // Inside a script's text a tag is text: only those of the page itself count.
        const outside = page
          .replaceAll(/<script\b[^>]*>[\s\S]*?<\/script>/g, "")
          .match(/<(?:link|img|iframe|script)\b[^>]*>/g)
        expect(outside ?? [], path).toEqual([])
        expect(page.match(/<script[^>]+src=/g) ?? [], path).toEqual([])
      }
    })
  )

  const chromium = "/usr/bin/chromium"
  it.effect.skipIf(!existsSync(chromium))(
    "serves documentation that a browser without a network renders whole (needs /usr/bin/chromium)",
    () =>
      Effect.gen(function* () {
        const { base_url } = yield* TestServer
        for (const [path, operation] of [
          ["/docs", /class="opblock opblock-/g],
          ["/redoc", /<div id="tag\/\w+\/operation\/[\w.]+"/g]
        ] as const) {
          const { dom, log } = yield* rendered(chromium, `${base_url}${path}`)
          expect(dom.match(operation)?.length, path).toBe(endpoints.length)
          expect(
            log.split("\n").filter((line) => /CONSOLE.*(violates|Refused|Error)/i.test(line)),
            path
          ).toEqual([])
        }
      }).pipe(Effect.scoped),
    240_000
  )
})

/** The page as a browser has it in the end, and what its console said. Every name but ours leads nowhere. */
const rendered = (chromium: string, url: string) =>
  Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "tracepipe-chromium-"))),
    (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  ).pipe(
    Effect.flatMap((folder) =>
      Effect.promise(
        (signal) =>
          new Promise<{ readonly dom: string; readonly log: string }>((resolve, reject) => {
            const browser = spawn(
              chromium,
              [
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                `--user-data-dir=${folder}`,
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                "--virtual-time-budget=60000",
                "--enable-logging=stderr",
                "--dump-dom",
                url
              ],
              { signal }
            )
            let dom = ""
            let log = ""
            browser.stdout.setEncoding("utf8").on("data", (part: string) => {
              dom += part
            })
            browser.stderr.setEncoding("utf8").on("data", (part: string) => {
              log += part
            })
            browser.once("error", reject).once("close", () => resolve({ dom, log }))
          })
      )
    )
  )

layer(TestServer.layer({ ENABLE_METRICS: "false" }))("without metrics", (it) => {
  it.effect("there is nothing at their path", () =>
    Effect.gen(function* () {
      expect(yield* json("/metrics", open)).toMatchObject({ status: 404, body: { code: "not_found" } })
    })
  )
})

const freePort = await new Promise<number>((resolve) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
  })
})

layer(TestServer.layer({ PROMETHEUS_METRICS_PORT: String(freePort) }))("with a port of their own", (it) => {
  it.effect("metrics are there and nothing else is, and not here", () =>
    Effect.gen(function* () {
      expect((yield* json("/metrics", open)).status).toBe(404)
      const there = (path: string) => Effect.promise(() => fetch(`http://127.0.0.1:${freePort}${path}`))
      const response = yield* there("/metrics")
      expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8")
      expect(yield* Effect.promise(() => response.text())).toContain("tracepipe_http_requests_active")
      expect((yield* there("/v1/suites")).status).toBe(404)
    })
  )
})
