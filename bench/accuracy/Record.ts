// `bun bench/accuracy/Record.ts`: records every script in a real browser (CHROMIUM, or /usr/bin/chromium).
import { mkdir, rm, writeFile } from "node:fs/promises"
import { chromium } from "playwright-core"
import { serveApp } from "./Apps.ts"
import { type Recording, recorded } from "./Recorder.ts"
import { type Script, scripts } from "./Scripts.ts"

const folder = (path: string) => new URL(path, import.meta.url).pathname

const lines = (all: ReadonlyArray<unknown>) => all.map((line) => `${JSON.stringify(line)}\n`).join("")

const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--no-sandbox"]
})

const record = async ({ app, use }: Script): Promise<Recording> => {
  const server = await serveApp(app)
  const context = await browser.newContext()
  try {
    return await recorded(context, async (page) => {
      await page.goto(`http://127.0.0.1:${server.port}/`)
      await page.waitForLoadState("networkidle")
      await use(page)
    })
  } finally {
    await context.close()
    await server.stop(true)
  }
}

await rm(folder("recordings"), { recursive: true, force: true })
for (const script of scripts) {
  const { input_events, network_traffic } = await record(script)
  const target = folder(`recordings/${script.name}`)
  await mkdir(target, { recursive: true })
  // The port is another one each time, and says nothing.
  const text = (all: ReadonlyArray<unknown>) => lines(all).replaceAll(/127\.0\.0\.1:\d+/g, `${script.app}.localhost`)
  await writeFile(`${target}/input_events.jsonl`, text(input_events))
  await writeFile(`${target}/network_traffic.jsonl`, text(network_traffic))
  console.log(`${script.name}: ${input_events.length} input events, ${network_traffic.length} requests`)
}
// What `tracepipe demo` uploads is the coffee shop's part of it.
const demo = await Promise.all(
  scripts
    .filter(({ app }) => app === "coffee")
    .map(async ({ name, description }) => {
      const read = async (file: string) =>
        (await Bun.file(folder(`recordings/${name}/${file}`)).text())
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line))
      return {
        description,
        input_events: await read("input_events.jsonl"),
        network_traffic: await read("network_traffic.jsonl")
      }
    })
)
await writeFile(folder("../../src/cli/demo/recordings.json"), `${JSON.stringify(demo)}\n`)
const labels = scripts.map(({ name, app, description, labels }) => ({ name, app, description, labels }))
await writeFile(folder("labels.json"), `${JSON.stringify(labels, null, 2)}\n`)
await browser.close()
