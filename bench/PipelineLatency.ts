import { type Benchmark, median, type Row } from "./support/Benchmark.ts"
import { withFolder } from "./support/Children.ts"
import { type Service, startService } from "./support/Service.ts"

const EVENTS = 45_000
/** What nobody does in the recording. */
const others =
  "invoice shipment refund voucher warehouse supplier contract campaign newsletter holiday payroll licence audit vehicle meeting complaint forecast translation".split(
    " "
  )
const ACTIONS = others.length + 1
const ROUNDS = 3
const IDLE_MS = 3000
/** The model that needs no network. */
const LEXICAL = "01980000-0000-7000-8000-000000000001"

const page = (turn: number) => `https://shop.example/orders/${Math.floor(turn / 12)}`

/** A long day's work: fields filled, buttons pressed, a request after every third event. */
const recording = () => {
  const inputs: Array<string> = []
  const network: Array<string> = []
  for (let turn = 0; inputs.length + network.length < EVENTS; turn++) {
    const timestamp = 1_772_359_200_000 + turn * 100
    const field = turn % 3 !== 2
    const target = field
      ? { role: "textbox", name: `Field ${turn % 40}`, tag: "input" }
      : { role: "button", name: `Open panel ${turn % 50}`, tag: "button" }
    const type = field ? "change" : "click"
    inputs.push(
      JSON.stringify({ timestamp, type, target, url: page(turn), ...(field ? { value: `value ${turn}` } : {}) })
    )
    if (turn % 3 === 2) {
      const url = `https://shop.example/api/panels/${turn}`
      const body = JSON.stringify({
        id: turn,
        rows: Array.from({ length: 20 }, (_, row) => ({ row, name: `Row ${row}` }))
      })
      network.push(JSON.stringify({ timestamp: timestamp + 1, method: "GET", url, status: 200, response_body: body }))
    }
  }
  // What the example is about, among all that is not.
  const form = [
    ["Full name", "Ada"],
    ["E-mail", "ada@example.org"]
  ].map(([name, value]) => ({ type: "change", target: { role: "textbox", name, tag: "input" }, value }))
  for (const event of [...form, { type: "click", target: { role: "button", name: "Create customer" } }]) {
    inputs.push(JSON.stringify({ timestamp: 1_772_459_200_000, url: "https://shop.example/customers/new", ...event }))
  }
  return { inputs: `${inputs.join("\n")}\n`, network: `${network.join("\n")}\n` }
}

const api = (service: Service) => async (method: string, path: string, json?: unknown) => {
  const headers = { "x-api-key": service.api_key, "content-type": "application/json" }
  const body = json === undefined ? null : JSON.stringify(json)
  const response = await fetch(service.base_url + path, { method, headers, body })
  const answer = Object(await response.json())
  if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`)
  return answer
}

/** A suite with so many actions, one of which the recording holds and the map has. */
const surface = async (service: Service) => {
  const call = api(service)
  const { suite_id } = service
  const parameters = ["full_name", "email"].map((name) => ({ name, type: "STRING", required: true }))
  await call("POST", `/v1/suites/${suite_id}/actions`, { name: "create_customer", parameters })
  for (const name of others) {
    await call("POST", `/v1/suites/${suite_id}/actions`, {
      name: `archive_${name}`,
      description: `Archives the ${name} of a department`,
      parameters: [{ name: `${name}_number`, type: "STRING", required: true }]
    })
  }
  const server = await call("POST", "/v1/mcp/servers", { name: "Shop", url: "https://mcp.example/mcp" })
  await call("POST", `/v1/mcp/servers/${server.id}/tools`, {
    name: "create_customer",
    input_schema: { type: "object", properties: { full_name: { type: "string" }, email: { type: "string" } } }
  })
  await call("POST", "/v1/action-tool-maps", {
    suite_id,
    server_id: server.id,
    name: "Shop",
    mappings: [
      {
        action: "create_customer",
        tool: "create_customer",
        parameters: ["full_name", "email"].map((name) => ({ action_parameter: name, tool_parameter: name }))
      }
    ]
  })
}

const upload = async (service: Service) => {
  const { inputs, network } = recording()
  const form = new FormData()
  form.set("suite_id", service.suite_id)
  form.set("input_events", new File([inputs], "input_events.jsonl"))
  form.set("network_traffic", new File([network], "network_traffic.jsonl"))
  const headers = { "x-api-key": service.api_key }
  const response = await fetch(`${service.base_url}/v1/sessions`, { method: "POST", headers, body: form })
  if (!response.ok) throw new Error(`the upload: ${await response.text()}`)
  return String(Object(await response.json()).id)
}

/** Asks /ready, one request after the other, for as long as it is wanted; milliseconds of each. */
const latencies = async ({ base_url }: Service, wanted: () => boolean) => {
  const samples: Array<number> = []
  while (wanted()) {
    const began = performance.now()
    const response = await fetch(`${base_url}/ready`)
    await response.text()
    samples.push(performance.now() - began)
  }
  return samples
}

const p99 = (samples: ReadonlyArray<number>) =>
  samples.toSorted((left, right) => left - right)[Math.floor(samples.length * 0.99)] ?? Number.NaN

/** Until the example is finished; watched from the side, twenty times a second. */
const made = async (service: Service, session_id: string) => {
  const call = api(service)
  const began = performance.now()
  const { id } = await call("POST", "/v1/examples", { session_id, model_id: LEXICAL })
  for (;;) {
    const { status, error_message } = await call("GET", `/v1/examples/${id}`)
    if (status === "COMPLETED") return performance.now() - began
    if (status === "FAILED") throw new Error(error_message)
    await Bun.sleep(50)
  }
}

const measure = async (service: Service): Promise<ReadonlyArray<Row>> => {
  await surface(service)
  const session_id = await upload(service)
  await made(service, session_id)
  const idle: Array<number> = []
  const busy: Array<number> = []
  const seconds: Array<number> = []
  for (let round = 0; round < ROUNDS; round++) {
    const end = performance.now() + IDLE_MS
    idle.push(p99(await latencies(service, () => performance.now() < end)))
    let open = true
    const example = made(service, session_id).finally(() => {
      open = false
    })
    busy.push(p99(await latencies(service, () => open)))
    seconds.push((await example) / 1000)
  }
  const figure = median(busy.map((ours, round) => ours / (idle[round] ?? Number.NaN)))
  return [
    {
      what: "p99 of /ready while an example is made",
      unit: "ms",
      ours: busy,
      floor: idle,
      figure,
      target: { kind: "at_most", unit: "×", must: 3 }
    },
    { what: "the example", unit: "s", ours: seconds, floor: [], figure: undefined, target: undefined }
  ]
}

export const pipelineLatency: Benchmark = {
  name: "pipeline-latency",
  about: `An example of a recording of ${EVENTS} events with ${ACTIONS} actions to choose from is made in the one default process, which is asked for /ready meanwhile, one request after the other. The floor column is the same process idle.`,
  run: () =>
    withFolder(async (folder) => {
      const service = await startService(folder, { LOG_REQUESTS: "false" })
      try {
        return await measure(service)
      } finally {
        await service.stop()
      }
    })
}
