import { createServer } from "node:net"
import { createBrotliCompress, gzipSync } from "node:zlib"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Layer } from "effect"
import { Egress, type EgressOptions } from "../../src/platform/Egress.ts"
import * as EgressLive from "../../src/platform/EgressLive.ts"
import { Settings } from "../../src/platform/Settings.ts"
import { certificateFor } from "../support/Certificate.ts"
import { webServer } from "../support/WebServer.ts"

interface World extends EgressLive.Parts {
  readonly environment?: Readonly<Record<string, string>>
}

const withEgress = <A, E>(
  use: (egress: Egress["Type"]) => Effect.Effect<A, E>,
  { environment = {}, ...parts }: World = {}
) =>
  Effect.flatMap(Egress, use).pipe(
    Effect.provide(EgressLive.layerWith(parts).pipe(Layer.provide(Settings.layer(environment))))
  )

/** Asks, and tells the status and text, or the failure's tag and reason. */
const ask = (url: string, init: RequestInit = {}, options: EgressOptions = {}, world: World = {}) =>
  withEgress((egress) => egress.request(url, init, options), world).pipe(
    Effect.flatMap((response) =>
      Effect.promise(async () => ({ status: response.status, text: await response.text(), headers: response.headers }))
    ),
    Effect.either,
    Effect.map(Either.match({ onLeft: (error) => error, onRight: (answer) => answer }))
  )

const refused = (reason: RegExp) =>
  expect.objectContaining({ _tag: "EgressRefused", reason: expect.stringMatching(reason) })
const failed = (reason: RegExp) =>
  expect.objectContaining({ _tag: "EgressFailed", reason: expect.stringMatching(reason) })
const ok = (text: string) => expect.objectContaining({ status: 200, text })

/** Every name is on this machine. */
const here = async () => ["127.0.0.1"]

describe("a request", () => {
  it.scopedLive("goes out as it is, and comes back whole", () =>
    Effect.gen(function* () {
      const { port, seen } = yield* webServer((_request, response) => {
        response.setHeader("x-mine", ["a", "b"])
        response.writeHead(201, { "content-type": "text/plain" }).end("täxt")
      })
      const answer = yield* ask(`http://localhost:${port}/path?q=1`, {
        method: "POST",
        headers: { "x-key": "k", host: "evil.example" },
        body: new URLSearchParams({ a: "b c" })
      })
      expect(answer).toMatchObject({ status: 201, text: "täxt" })
      expect(seen).toHaveLength(1)
      expect(seen[0]).toMatchObject({
        method: "POST",
        url: "/path?q=1",
        body: "a=b+c",
        headers: {
          "x-key": "k",
          host: `localhost:${port}`,
          "content-type": expect.stringContaining("application/x-www-form-urlencoded"),
          "content-length": "5"
        }
      })
    })
  )

  it.scopedLive("has the form of fetch for libraries, and rejects with the same errors", () =>
    Effect.gen(function* () {
      const { port } = yield* webServer((_request, response) => response.end('{"a":1}'))
      yield* withEgress((egress) =>
        Effect.promise(async () => {
          const fetch = egress.fetch({ max_bytes: 100 })
          expect(await (await fetch(new URL(`http://127.0.0.1:${port}/`))).json()).toEqual({ a: 1 })
          await expect(fetch("http://10.0.0.1/")).rejects.toMatchObject({ _tag: "EgressRefused" })
          await expect(fetch(`http://[::1]:${port}/`)).rejects.toMatchObject({ _tag: "EgressFailed" })
          await expect(fetch("no url")).rejects.toMatchObject({ _tag: "EgressRefused" })
        })
      )
    })
  )

  it.scopedLive("tells neither credentials nor a query in its failures", () =>
    Effect.gen(function* () {
      for (const url of ["http://user:hunter2@a.example/p?token=hunter2", "http://127.0.0.1:1/p?token=hunter2"]) {
        const answer = yield* ask(url)
        expect(String(answer), url).toContain("/p")
        expect(`${String(answer)} ${JSON.stringify(answer)}`, url).not.toContain("hunter2")
      }
    })
  )
})

describe("where a request may go", () => {
  it.scopedLive("is decided before anything is connected to", () =>
    Effect.gen(function* () {
      const { port, seen } = yield* webServer((_request, response) => response.end("secret"))
      const production = { environment: { APP_ENV: "production", ALLOW_LOCAL_SECRETS: "true" } }
      for (const host of ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1"]) {
        const url = `http://${host}:${port}/`
        expect(yield* ask(url, {}, {}, production), host).toEqual(refused(/ALLOWED_EGRESS_HOSTS/))
        expect(yield* ask(url.replace("http:", "https:"), {}, { any_public_host: true }, production), host).toEqual(
          refused(/not a public address/)
        )
      }
      expect(seen).toEqual([])
      expect(yield* ask(`http://localhost:${port}/`)).toEqual(ok("secret"))
      expect(
        yield* ask(`http://127.0.0.1:${port}/`, {}, { operator_hosts: [`127.0.0.1:${port}`] }, production)
      ).toEqual(ok("secret"))
    })
  )

  it.scopedLive("is the address that was checked, whatever the name leads to a moment later", () =>
    Effect.gen(function* () {
      const { port, seen } = yield* webServer((_request, response) => response.end("secret"))
      let asked = 0
      // Public for who checks, this machine for who asks again.
      const rebinding = async () => [asked++ === 0 ? "192.0.32.10" : "127.0.0.1"]
      const options = { any_public_host: true, timeout_ms: 500 }
      const answer = yield* ask(`http://rebind.example:${port}/`, {}, options, { resolve: rebinding })
      expect(answer).toEqual(expect.objectContaining({ _tag: "EgressFailed" }))
      expect(asked).toBe(1)
      expect(yield* ask(`http://rebind.example:${port}/`, {}, options, { resolve: rebinding })).toEqual(
        refused(/127\.0\.0\.1, which is not a public/)
      )
      for (const mixed of [
        ["192.0.32.10", "127.0.0.1"],
        ["127.0.0.1", "192.0.32.10"]
      ]) {
        const world = { resolve: async () => mixed }
        expect(yield* ask(`http://mixed.example:${port}/`, {}, options, world)).toEqual(refused(/not a public/))
      }
      expect(seen).toEqual([])
    })
  )

  it.scopedLive("is any of the name's addresses that answers", () =>
    Effect.gen(function* () {
      const { port, seen } = yield* webServer((_request, response) => response.end("here"))
      const world = { resolve: async () => ["::1", "127.0.0.1"], environment: { ALLOWED_EGRESS_HOSTS: "a.example" } }
      expect(yield* ask(`http://a.example:${port}/`, { method: "POST", body: "x" }, {}, world)).toEqual(ok("here"))
      expect(seen.map(({ headers, body }) => [headers.host, body])).toEqual([[`a.example:${port}`, "x"]])
      expect(yield* ask("http://a.example/", {}, {}, { ...world, resolve: async () => [] })).toEqual(
        failed(/no address/)
      )
    })
  )

  it.scopedLive("is no proxy of the environment", () =>
    Effect.gen(function* () {
      const proxy = yield* webServer((_request, response) => response.end("from the proxy"))
      const { port } = yield* webServer((_request, response) => response.end("direct"))
      const script = `
        const { Effect, Layer } = await import("effect")
        const { Egress } = await import("./src/platform/Egress.ts")
        const { layer } = await import("./src/platform/EgressLive.ts")
        const { Settings } = await import("./src/platform/Settings.ts")
        const asked = Effect.flatMap(Egress, (egress) => egress.request("http://127.0.0.1:${port}/"))
        const response = await Effect.runPromise(asked.pipe(Effect.provide(layer.pipe(Layer.provide(Settings.layer({}))))))
        console.log(await response.text(), await (await fetch("http://127.0.0.1:${port}/")).text())`
      const address = `http://127.0.0.1:${proxy.port}`
      const child = Bun.spawn([process.execPath, "-e", script], {
        cwd: new URL("../..", import.meta.url).pathname,
        env: {
          ...process.env,
          HTTP_PROXY: address,
          http_proxy: address,
          HTTPS_PROXY: address,
          NO_PROXY: "",
          no_proxy: ""
        },
        stderr: "inherit"
      })
      expect(yield* Effect.promise(() => new Response(child.stdout).text())).toBe("direct from the proxy\n")
    })
  )
})

describe("a certificate", () => {
  it.scopedLive("must be the name's, though an address is connected to", () =>
    Effect.gen(function* () {
      const certificate = certificateFor("tls.example")
      const { port, seen } = yield* webServer((_request, response) => response.end("safe"), { certificate })
      const ask_for = (host: string, parts: EgressLive.Parts) =>
        ask(`https://${host}:${port}/`, {}, { operator_hosts: [host] }, { resolve: here, ...parts })
      const trusting = { ca: certificate.cert }
      expect(yield* ask_for("tls.example", trusting)).toEqual(ok("safe"))
      expect(seen[0]?.headers.host).toBe(`tls.example:${port}`)
      expect(yield* ask_for("other.example", trusting)).toEqual(failed(/altnames|certificate/))
      expect(yield* ask_for("127.0.0.1", trusting)).toEqual(failed(/altnames|certificate/))
      expect(yield* ask_for("tls.example", {})).toEqual(failed(/self.signed/))
      expect(seen).toHaveLength(1)
    })
  )
})

describe("a redirect", () => {
  const leading = (to: () => string, status = 302) =>
    webServer(({ url }, response) => {
      if (url === "/end") response.end("the end")
      else response.writeHead(status, { location: url === "/loop" ? "/loop" : to() }).end("elsewhere")
    })

  it.scopedLive("is followed, and checked as the first address was", () =>
    Effect.gen(function* () {
      let to = "/end"
      const { port, seen } = yield* leading(() => to)
      const world = { resolve: here, environment: { ALLOWED_EGRESS_HOSTS: "a.example" } }
      const follow = (location: string, options: EgressOptions = {}) => {
        to = location
        return ask(`http://a.example:${port}/start`, {}, options, world)
      }
      expect(yield* follow("/end")).toEqual(ok("the end"))
      expect(yield* follow("end")).toEqual(ok("the end"))
      const before = seen.length
      for (const location of [
        `http://127.0.0.1:${port}/end`,
        `http://localhost:${port}/end`,
        `http://2130706433:${port}/end`,
        `//127.0.0.1:${port}/end`,
        `http://[::ffff:127.0.0.1]:${port}/end`,
        `http://b.example:${port}/end`,
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        `http://u:p@a.example:${port}/end`,
        "http://["
      ]) {
        expect(yield* follow(location), location).toEqual(expect.objectContaining({ _tag: "EgressRefused" }))
      }
      expect(seen.slice(before).map(({ url }) => url)).toEqual(Array(10).fill("/start"))
      expect(yield* follow(`http://b.example:${port}/end`, { any_public_host: true })).toEqual(refused(/not a public/))
      expect(yield* follow("/loop")).toEqual(failed(/more than 3 times/))
      expect(yield* follow("/end", { max_redirects: 0 })).toEqual(failed(/more than 0 times/))
    })
  )

  it.scopedLive("is left to the caller who says so", () =>
    Effect.gen(function* () {
      const { port } = yield* leading(() => "/end")
      const url = `http://localhost:${port}/start`
      expect(yield* ask(url, { redirect: "manual" })).toMatchObject({ status: 302, text: "elsewhere" })
      expect(yield* ask(url, { redirect: "error" })).toEqual(failed(/elsewhere/))
    })
  )

  it.scopedLive("takes no credentials and no body to another origin", () =>
    Effect.gen(function* () {
      const other = yield* webServer((_request, response) => response.end("other"))
      let status = 302
      const { port, seen } = yield* webServer(({ url }, response) =>
        url === "/end"
          ? response.end("same")
          : response
              .writeHead(status, { location: url === "/away" ? `http://localhost:${other.port}/end` : "/end" })
              .end()
      )
      const headers = {
        authorization: "Bearer x",
        cookie: "a=b",
        "x-vault-token": "t",
        "x-api-key": "k",
        accept: "text/plain"
      }
      const go = (path: string, init: RequestInit = {}) => ask(`http://127.0.0.1:${port}${path}`, { headers, ...init })
      expect(yield* go("/near")).toEqual(ok("same"))
      expect(seen.at(-1)?.headers).toMatchObject(headers)
      expect(yield* go("/away")).toEqual(ok("other"))
      expect(other.seen[0]?.headers).toMatchObject({ accept: "text/plain" })
      for (const name of ["authorization", "cookie", "x-vault-token", "x-api-key"]) {
        expect(other.seen[0]?.headers, name).not.toHaveProperty(name)
      }
      for (status of [301, 302, 303]) {
        expect(yield* go("/away", { method: "POST", body: "secret=1" })).toEqual(ok("other"))
        expect(other.seen.at(-1)).toMatchObject({ method: "GET", body: "" })
      }
      for (status of [307, 308]) {
        expect(yield* go("/away", { method: "POST", body: "secret=1" })).toEqual(refused(/another origin/))
        expect(yield* go("/near", { method: "POST", body: "secret=1" })).toEqual(ok("same"))
        expect(seen.at(-1)).toMatchObject({ method: "POST", body: "secret=1", url: "/end" })
      }
    })
  )

  it.scopedLive("does not lead from https to http", () =>
    Effect.gen(function* () {
      const certificate = certificateFor("tls.example")
      const plain = yield* webServer((_request, response) => response.end("plain"))
      const { port } = yield* webServer(
        (_request, response) => response.writeHead(302, { location: `http://tls.example:${plain.port}/` }).end(),
        { certificate }
      )
      const options = { operator_hosts: ["tls.example"] }
      expect(yield* ask(`https://tls.example:${port}/`, {}, options, { resolve: here, ca: certificate.cert })).toEqual(
        refused(/from https to http/)
      )
      expect(plain.seen).toEqual([])
    })
  )
})

describe("an answer", () => {
  const MIB = 1024 * 1024

  it.scopedLive("is taken up to its limit, compressed or not", () =>
    Effect.gen(function* () {
      const bomb = gzipSync(Buffer.alloc(64 * MIB))
      const { port } = yield* webServer(({ url }, response) => {
        if (url === "/exact") response.end(Buffer.alloc(MIB))
        else if (url === "/declared")
          response.writeHead(200, { "content-length": String(MIB + 1) }).end(Buffer.alloc(MIB + 1))
        else if (url === "/bomb") response.writeHead(200, { "content-encoding": "gzip" }).end(bomb)
        else if (url === "/endless-bomb") {
          response.writeHead(200, { "content-encoding": "br" })
          const zip = createBrotliCompress()
          zip.pipe(response)
          const more = () => {
            if (!response.destroyed && !response.closed) zip.write(Buffer.alloc(MIB), more)
          }
          more()
        } else {
          const more = () => {
            if (!response.destroyed && !response.closed) response.write(Buffer.alloc(65_536), () => setImmediate(more))
          }
          more()
        }
      })
      const get = (path: string, options: EgressOptions = {}) => ask(`http://localhost:${port}${path}`, {}, options)
      expect(bomb.length).toBeLessThan(MIB)
      expect(yield* get("/exact")).toMatchObject({ status: 200 })
      for (const path of ["/declared", "/endless", "/bomb", "/endless-bomb"]) {
        expect(yield* get(path), path).toEqual(failed(/larger than 1048576 bytes/))
      }
      expect(yield* get("/bomb", { max_bytes: 64 * MIB })).toMatchObject({ status: 200 })
    })
  )

  it.scopedLive("is decompressed, and refused where it cannot be", () =>
    Effect.gen(function* () {
      const { port } = yield* webServer(({ url }, response) =>
        response.writeHead(200, { "content-encoding": url.slice(1) }).end("not compressed at all")
      )
      for (const encoding of ["br", "deflate", "x-gzip"]) {
        expect(yield* ask(`http://localhost:${port}/${encoding}`), encoding).toEqual(failed(/./))
      }
      expect(yield* ask(`http://localhost:${port}/zstd`)).toEqual(failed(/encoded as "zstd"/))
      const zipped = yield* webServer((_request, response) =>
        response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("text"))
      )
      const answer = yield* ask(`http://localhost:${zipped.port}/`)
      expect(answer).toEqual(ok("text"))
    })
  )

  it.scopedLive("has its time, from the first to the last byte", () =>
    Effect.gen(function* () {
      const { port } = yield* webServer(({ url }, response) => {
        if (url === "/drip") {
          const timer = setInterval(() => response.write("x"), 20)
          response.on("close", () => clearInterval(timer))
        }
      })
      for (const path of ["/silent", "/drip"]) {
        const started = performance.now()
        expect(yield* ask(`http://localhost:${port}${path}`, {}, { timeout_ms: 300 }), path).toEqual(
          failed(/no whole answer within 300 ms/)
        )
        expect(performance.now() - started).toBeLessThan(5000)
      }
      const stuck = { resolve: () => new Promise<never>(() => undefined) }
      expect(yield* ask("http://a.example/", {}, { timeout_ms: 100, any_public_host: true }, stuck)).toEqual(
        failed(/100 ms/)
      )
    })
  )

  it.scopedLive("that breaks off is none", () =>
    Effect.gen(function* () {
      const server = yield* Effect.acquireRelease(
        Effect.promise(
          () =>
            new Promise<import("node:net").Server>((resolve) => {
              const made = createServer((socket) => {
                socket.on("error", () => undefined)
                socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc"))
              })
              made.listen(0, "127.0.0.1", () => resolve(made))
            })
        ),
        (made) => Effect.sync(() => made.close())
      )
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      expect(yield* ask(`http://127.0.0.1:${port}/`)).toEqual(failed(/./))
    })
  )

  it.scopedLive("comes as a stream where that is wanted, under the same limits", () =>
    Effect.gen(function* () {
      let open = 0
      const { port } = yield* webServer(({ url }, response) => {
        open++
        response.on("close", () => open--)
        response.write("first ")
        if (url === "/more") response.end(Buffer.alloc(2 * MIB))
      })
      yield* withEgress((egress) =>
        Effect.promise(async () => {
          const fetch = egress.fetch({ streamed: true, timeout_ms: 400 })
          const silent = await fetch(`http://localhost:${port}/`)
          const reader = silent.body?.getReader()
          expect(new TextDecoder().decode((await reader?.read())?.value)).toBe("first ")
          await expect(reader?.read()).rejects.toThrow()
          await expect((await fetch(`http://localhost:${port}/more`)).text()).rejects.toThrow(/larger/)
          const left = await fetch(`http://localhost:${port}/`)
          await left.body?.cancel()
        })
      )
      expect(open).toBeLessThanOrEqual(3)
    })
  )
})
