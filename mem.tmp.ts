import net from "node:net"
import { readFileSync, writeFileSync } from "node:fs"
import * as KeyFormat from "./src/identity/KeyFormat.ts"
const [store, n, mib, name, extra] = process.argv.slice(2)
const port = 20000 + Math.floor(Math.random()*20000)
const key = KeyFormat.make()
const dir = `/tmp/up/mem-${Date.now()}`
const env: any = { PATH: process.env.PATH, HOME: process.env.HOME, PORT: String(port), DATA_DIR: dir, BOOTSTRAP_API_KEY: key, LOG_LEVEL: "ERROR", UPLOAD_CONCURRENCY: "2", ...(extra ? JSON.parse(extra) : {}) }
if (store === "s3") {
  const { S3Client, CreateBucketCommand } = await import("@aws-sdk/client-s3")
  const c = new S3Client({ endpoint: "http://127.0.0.1:9411", region: "us-east-1", forcePathStyle: true, credentials: { accessKeyId: "test", secretAccessKey: "test-secret" } })
  const B = `mem-${Date.now()}`; await c.send(new CreateBucketCommand({ Bucket: B }))
  Object.assign(env, { S3_BUCKET: B, S3_ENDPOINT: "http://127.0.0.1:9411", S3_ACCESS_KEY_ID: "test", S3_SECRET_ACCESS_KEY: "test-secret" })
}
const child = Bun.spawn(["node_modules/.bin/bun", "src/main.ts", "serve"], { env, cwd: "/work/main", stdio: ["ignore", "ignore", "inherit"] })
const base = `http://127.0.0.1:${port}`
while (!(await fetch(base + "/ready").then(r => r.ok, () => false))) await Bun.sleep(50)
const H = { "x-api-key": key, "content-type": "application/json" }
const suite = (await (await fetch(base + "/v1/suites", { method: "POST", headers: H, body: '{"name":"m"}' })).json()).id
for (let i = 0; i < 3; i++) await fetch(`${base}/v1/sessions?suite_id=${suite}`, { method: "POST", headers: { "x-api-key": key }, body: '{"role":"user","content":"x"}\n' })
const status = () => readFileSync(`/proc/${child.pid}/status`, "utf8"); const f = (k: string) => Math.round(Number(new RegExp(k + ":\\s+(\\d+)").exec(status())![1]) / 1024)
writeFileSync(`/proc/${child.pid}/clear_refs`, "5")
const rest = f("VmRSS")
const line = Buffer.from(`{"role":"user","content":"${"a".repeat(998)}"}\n`)
const block = Buffer.concat(Array.from({ length: 1024 }, () => line)); const blocks = Number(mib)
const total = block.length * blocks
const t0 = Date.now()
const one = (i: number) => new Promise<string>((res) => {
  const s = net.connect(port, "127.0.0.1"); let sent = 0
  s.write(`POST /v1/sessions?suite_id=${suite}&file_name=${i}${name} HTTP/1.1\r\nHost: x\r\nx-api-key: ${key}\r\nContent-Length: ${total}\r\n\r\n`)
  const pump = () => { while (sent < blocks) { sent++; if (!s.write(block)) return s.once("drain", pump) } }
  pump(); let t = ""; s.on("data", d => { t += d; if (t.includes("\r\n\r\n")) { res(t.slice(9, 12)); s.destroy() } }); s.on("close", () => res("closed")); s.on("error", () => {})
})
const tick = setInterval(() => process.env.V && console.log(((Date.now() - t0)/1000).toFixed(1), f("VmRSS")), 1000)
const r = await Promise.all(Array.from({ length: Number(n) }, (_, i) => one(i)))
clearInterval(tick)
console.log(store, n, mib, name, extra ?? "", "->", [...new Set(r)].join(), `${((Date.now() - t0)/1000).toFixed(1)} s`, "rest", rest, "peak", f("VmHWM"), "added", f("VmHWM") - rest, "now", f("VmRSS"))
child.kill(); await child.exited; process.exit()
