// Repeats one request over keep-alive connections: `bun bench/load/Requests.ts <options as JSON>`.
import { bundles, form } from "../support/Form.ts"
import { connect } from "./Connection.ts"

export interface LoadOptions {
  readonly base_url: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** A file of API keys, one on each line, of which every request sends the next. */
  readonly keys_file?: string | undefined
  /** An upload of this size to this suite. */
  readonly upload?: { readonly suite_id: string; readonly bytes: number }
  /** A JSON text to post; absent, and no upload: a GET. */
  readonly json?: string
  /** Header fields of each client's own; as many as there are clients. */
  readonly headers_of_clients?: ReadonlyArray<Readonly<Record<string, string>>>
  readonly clients: number
  readonly seconds: number
  readonly status: number
}

export interface LoadResult {
  readonly per_second: number
  readonly p50_ms: number
  readonly p99_ms: number
}

const options: LoadOptions = JSON.parse(process.argv[2] ?? "{}")

const request = () => {
  if (options.json !== undefined) {
    const body = new TextEncoder().encode(options.json)
    const headers = { ...options.headers, "content-type": "application/json" }
    return { method: "POST", headers, bytes: body.length, pieces: () => [body] }
  }
  if (options.upload === undefined) return { method: "GET", headers: options.headers, bytes: 0, pieces: () => [] }
  const body = form(options.upload.suite_id, bundles.events(options.upload.bytes))
  const whole = Buffer.concat([...body.pieces()])
  const headers = { ...options.headers, "content-type": body.content_type }
  return { method: "POST", headers, bytes: whole.length, pieces: () => [whole] }
}

const sent = { path: options.path, ...request() }
const keys = options.keys_file === undefined ? [] : (await Bun.file(options.keys_file).text()).split("\n")
// Somewhere else each time, so that a short run does not begin with the keys of the one before.
let turn = Math.floor(Math.random() * keys.length)

const next = () => {
  if (keys.length === 0) return sent
  turn = (turn + 1) % keys.length
  return { ...sent, headers: { ...sent.headers, "x-api-key": keys[turn] ?? "" } }
}

const took: Array<number> = []
const started = performance.now()
const until = started + options.seconds * 1000

const client = async (_: unknown, index: number) => {
  const connection = await connect(options.base_url)
  const own = options.headers_of_clients?.[index]
  while (performance.now() < until) {
    const before = performance.now()
    const request = next()
    const answer = await connection.send(
      own === undefined ? request : { ...request, headers: { ...request.headers, ...own } }
    )
    if (answer.status !== options.status) throw new Error(`answered ${answer.status}: ${answer.body}`)
    took.push(performance.now() - before)
  }
}

await Promise.all(Array.from({ length: options.clients }, client))
const elapsed = (performance.now() - started) / 1000
took.sort((left, right) => left - right)
const at = (share: number) => took[Math.floor(took.length * share)] ?? Number.NaN
const load: LoadResult = { per_second: took.length / elapsed, p50_ms: at(0.5), p99_ms: at(0.99) }
console.log(JSON.stringify(load))
process.exit()
