import { existsSync } from "node:fs"
import { basename, join } from "node:path"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestServer } from "../support/TestServer.ts"
import { folder } from "./Tracepipe.ts"

const here = (path: string) => new URL(path, import.meta.url).pathname

const chromium = "/usr/bin/chromium"

/** Modules for a browser: the client, and a page that imports it. */
const bundle = (entrypoints: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const { outputs } = await Bun.build({ entrypoints: [...entrypoints], target: "browser", splitting: true })
    const files = await Promise.all(
      outputs.map(async (output) => [basename(output.path), await output.text()] as const)
    )
    return new Map(files)
  })

const imported = (code: string) =>
  [...code.matchAll(/(?:\bfrom|\bimport|\brequire\(|\bimport\()\s*["']([^"']+)["']/g)].map(([, name]) => name ?? "")

it.effect("the client is a module for browsers that imports nothing", () =>
  Effect.gen(function* () {
    const files = yield* bundle([here("../../src/client.ts")])
    expect([...files.keys()]).toEqual(["client.js"])
    const code = files.get("client.js") ?? ""
    expect(imported(code)).toEqual([])
    expect(code).not.toMatch(/\b(process\.versions|Bun\.[a-z]|Buffer\.from)\b/)
  })
)

/** Serves the page and its modules. */
const pages = (files: ReadonlyMap<string, string>) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      Bun.serve({
        hostname: "localhost",
        port: 0,
        fetch: ({ url }) => {
          const name = basename(new URL(url).pathname)
          const script = files.get(name)
          return script === undefined
            ? new Response('<!doctype html><body>waiting<script type="module" src="/Build.fixture.js"></script>', {
                headers: { "content-type": "text/html" }
              })
            : new Response(script, { headers: { "content-type": "text/javascript" } })
        }
      })
    ),
    (server) => Effect.promise(() => server.stop(true))
  )

/** The page's text once its scripts have run. */
const shown = (url: string) =>
  Effect.gen(function* () {
    const profile = join(yield* folder, "profile")
    const options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"]
    const dom = yield* Effect.promise(() => {
      const child = Bun.spawn([chromium, ...options, `--user-data-dir=${profile}`, url], { stderr: "ignore" })
      return new Response(child.stdout).text()
    })
    return /<body>(.*?)<\/body>/s.exec(dom)?.[1]?.trim()
  })

it.scoped.skipIf(!existsSync(chromium))(
  `the client works in a browser, from the origins of CORS_ORIGINS (needs ${chromium})`,
  () =>
    Effect.gen(function* () {
      const files = yield* bundle([here("../../src/client.ts"), here("Build.fixture.ts")])
      const { port } = yield* pages(files)
      const allowed = `http://localhost:${port}`
      yield* Effect.gen(function* () {
        const { base_url } = yield* TestServer
        const query = `?service=${encodeURIComponent(base_url)}`
        expect(yield* shown(`${allowed}/${query}`)).toBe("alive: ok")
        expect(yield* shown(`http://other.localhost:${port}/${query}`)).toBe("failed: RequestError")
      }).pipe(Effect.provide(TestServer.layer({ CORS_ORIGINS: allowed })))
    })
)
