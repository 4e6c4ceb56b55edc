// Sends bundles at once, each over a connection of its own: `bun bench/load/Uploads.ts <options as JSON>`.
import { type BundleKind, bundles, form } from "../support/Form.ts"
import { connect } from "./Connection.ts"

export interface UploadOptions {
  readonly base_url: string
  readonly api_key: string
  readonly suite_id: string
  readonly kind: BundleKind
  readonly bytes: number
  readonly at_once: number
}

export interface UploadResult {
  /** From the first byte sent to the last answer received. */
  readonly seconds: number
  readonly bytes: number
  readonly session_ids: ReadonlyArray<string>
}

const options: UploadOptions = JSON.parse(process.argv[2] ?? "{}")
const body = form(options.suite_id, bundles[options.kind](options.bytes))
const connections = await Promise.all(Array.from({ length: options.at_once }, () => connect(options.base_url)))
const headers = { "x-api-key": options.api_key, "content-type": body.content_type }
const started = performance.now()
const answers = await Promise.all(
  connections.map((connection) => connection.send({ method: "POST", path: "/v1/sessions", headers, ...body }))
)
const seconds = (performance.now() - started) / 1000
const refused = answers.find(({ status }) => status !== 201)
if (refused !== undefined) throw new Error(`an upload was answered ${refused.status}: ${refused.body}`)
const session_ids = answers.map(({ body: json }): string => JSON.parse(json).id)
const sent: UploadResult = { seconds, bytes: options.at_once * body.bytes, session_ids }
console.log(JSON.stringify(sent))
process.exit()
