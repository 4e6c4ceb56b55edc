import { Effect } from "effect"
import * as tus from "tus-js-client"
import { eventually } from "./Eventually.ts"
import { call, type Target } from "./Uploading.ts"

/** How an upload by the public client went. */
export interface Sent {
  /** Of the upload; the final one of several. */
  readonly url: string
  /** Of the session that it became by itself. */
  readonly session_id: string | undefined
}

/** A client's upload under way; its bytes come from `bytes`. */
export const begun = (target: Target, bytes: Uint8Array, options: Partial<tus.UploadOptions> = {}) => {
  let settle: { readonly done: (sent: Sent) => void; readonly failed: (error: Error) => void } | undefined
  const sent = new Promise<Sent>((done, failed) => {
    settle = { done, failed }
  })
  const upload = new tus.Upload(Buffer.from(bytes), {
    endpoint: `${target.base_url}/v1/uploads`,
    retryDelays: null,
    ...options,
    headers: { "x-api-key": target.api_key, ...options.headers },
    onSuccess: ({ lastResponse }) =>
      settle?.done({ url: upload.url ?? "", session_id: lastResponse.getHeader("tracepipe-session-id") }),
    onError: (error) => settle?.failed(error)
  })
  return { upload, sent }
}

/** Sends all of the bytes by the public client. */
export const sendAll = (target: Target, bytes: Uint8Array, options: Partial<tus.UploadOptions> = {}) =>
  Effect.tryPromise({
    try: () => {
      const { upload, sent } = begun(target, bytes, options)
      upload.start()
      return sent
    },
    // tus-js-client fails with nothing else.
    catch: (error) => error as tus.DetailedError
  })

export const idOf = (url: string): string => url.split("/").at(-1) ?? ""

/** A request of the protocol, as no client would send it. */
export const tusCall = (
  target: Target,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body: BodyInit | null = null
) =>
  Effect.promise(async () => {
    const response = await fetch(path.startsWith("http") ? path : `${target.base_url}${path}`, {
      method,
      headers: { "x-api-key": target.api_key, "tus-resumable": "1.0.0", ...headers },
      body
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, json: text === "" ? {} : JSON.parse(text) }
  })

/** `Upload-Metadata`. */
export const metadataOf = (pairs: Readonly<Record<string, string>>): string =>
  Object.entries(pairs)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString("base64")}`)
    .join(",")

/** The session once its validation has ended. */
export const validated = (target: Target, id: unknown, limit_ms?: number) =>
  Effect.map(
    eventually(
      call(target, "GET", `/v1/sessions/${id}`),
      ({ json }) => json["status"] === "READY" || json["status"] === "REJECTED",
      limit_ms
    ),
    ({ json }) => json
  )
