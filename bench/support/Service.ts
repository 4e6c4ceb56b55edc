import { join } from "node:path"
import * as KeyFormat from "../../src/identity/KeyFormat.ts"
import { answering, bun, type Child, freePort, start } from "./Children.ts"

/** The service as an operator runs it: its own process, its real entry point, its defaults but for rate limits. */
export interface Service extends Child {
  readonly base_url: string
  readonly data_dir: string
  readonly api_key: string
  readonly suite_id: string
  readonly delete: (session_id: string) => Promise<void>
}

/** The command that runs the service. */
export const serve = [...bun("../src/main.ts"), "serve"]

export const startService = async (
  folder: string,
  environment: Readonly<Record<string, string>> = {}
): Promise<Service> => {
  const port = await freePort()
  const base_url = `http://127.0.0.1:${port}`
  const data_dir = join(folder, "data")
  const log = join(folder, "service.log")
  const api_key = KeyFormat.make()
  const child = start(serve, log, {
    PORT: String(port),
    DATA_DIR: data_dir,
    BOOTSTRAP_API_KEY: api_key,
    // Benchmarks are the flood that limits are there for.
    RATE_LIMIT_REQUESTS_PER_MINUTE: "off",
    ...environment
  })
  await answering(`${base_url}/ready`, child, log)
  const headers = { "x-api-key": api_key, "content-type": "application/json" }
  const answer = await fetch(`${base_url}/v1/suites`, { method: "POST", headers, body: '{"name":"Bench"}' })
  const suite: { readonly id: string } = await answer.json()
  return {
    ...child,
    base_url,
    data_dir,
    api_key,
    suite_id: suite.id,
    delete: async (id) => {
      const { status } = await fetch(`${base_url}/v1/sessions/${id}`, { method: "DELETE", headers })
      if (status !== 204) throw new Error(`deleting a session answered ${status}`)
    }
  }
}
