import { readFile } from "node:fs/promises"
import type { AppName } from "../accuracy/Apps.ts"
import { surfaceOf } from "../accuracy/Surfaces.ts"
import type { Service } from "./Service.ts"

const recordings = new URL("../accuracy/recordings/", import.meta.url)

/** Calls the service; an answer that is no success is an error. */
export const caller =
  ({ base_url, api_key }: Pick<Service, "base_url" | "api_key">) =>
  async (method: string, path: string, body?: unknown): Promise<string> => {
    const isForm = body instanceof FormData
    const answer = await fetch(`${base_url}${path}`, {
      method,
      headers: {
        "x-api-key": api_key,
        ...(isForm || body === undefined ? {} : { "content-type": "application/json" })
      },
      body: isForm ? body : body === undefined ? null : JSON.stringify(body)
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`)
    return text
  }
export type Call = ReturnType<typeof caller>

/** Describes an application to the service; answers its suite's id. */
export const applied = async (call: Call, app: AppName): Promise<string> => {
  const { suite, server, map } = surfaceOf(app)
  const { id }: { readonly id: string } = JSON.parse(await call("PUT", "/v1/suites", suite))
  await call("PUT", "/v1/mcp/servers", server)
  await call("PUT", "/v1/action-tool-maps", map)
  return id
}

/** The two files of a recording, `times` times one after the other. */
export const recordingForm = async (suite_id: string, name: string, description: string, times = 1) => {
  const form = new FormData()
  form.set("suite_id", suite_id)
  form.set("description", description)
  for (const part of ["input_events", "network_traffic"]) {
    const bytes = await readFile(new URL(`${name}/${part}.jsonl`, recordings))
    form.set(part, new Blob(Array.from({ length: times }, () => bytes)), `${part}.jsonl`)
  }
  return form
}

export interface MadeExample {
  readonly id: string
  readonly status: string
  readonly error_code: string | null
}

/** Makes an example and waits until it ends, well or not. */
export const madeExample = async (call: Call, session_id: string, model_id: string): Promise<MadeExample> => {
  let example: MadeExample = JSON.parse(await call("POST", "/v1/examples", { session_id, model_id }))
  while (example.status === "PENDING" || example.status === "RUNNING") {
    await Bun.sleep(50)
    example = JSON.parse(await call("GET", `/v1/examples/${example.id}`))
  }
  return example
}
