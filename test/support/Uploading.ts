import { createHash } from "node:crypto"
import { Effect, Schema } from "effect"
import { SessionFile } from "../../src/domain/session/Session.ts"

/** A running service: the one of {@link TestServer}, or a child process. */
export interface Target {
  readonly base_url: string
  readonly api_key: string
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** The JSON that came; undefined where none did. */
  readonly json: Readonly<Record<string, unknown>>
}

/** A part of a form: a field's value, or a file. */
export type Part =
  | readonly [name: string, value: string]
  | readonly [name: string, bytes: string | Uint8Array, file_name: string]

export const formOf = (parts: ReadonlyArray<Part>): FormData => {
  const form = new FormData()
  for (const [name, value, file_name] of parts) {
    if (file_name !== undefined) form.append(name, new File([blobPart(value)], file_name))
    else if (typeof value === "string") form.append(name, value)
  }
  return form
}

// A view of shared memory is no BlobPart: a copy is never one.
const blobPart = (value: string | Uint8Array) => (typeof value === "string" ? value : Uint8Array.from(value))

const answered = async (response: Response): Promise<Answer> => {
  const text = await response.text()
  return { status: response.status, headers: response.headers, json: text === "" ? {} : JSON.parse(text) }
}

export interface Sending {
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly api_key?: string
  readonly body: BodyInit | null
}

/** Uploads a form or a raw body. */
export const send = (target: Target, { query = {}, headers = {}, api_key, body }: Sending): Effect.Effect<Answer> =>
  Effect.promise((signal) =>
    fetch(`${target.base_url}/v1/sessions?${new URLSearchParams(query)}`, {
      method: "POST",
      headers: { "x-api-key": api_key ?? target.api_key, ...headers },
      body,
      signal
    }).then(answered)
  )

export const call = (target: Target, method: string, path: string, json?: unknown): Effect.Effect<Answer> =>
  Effect.promise((signal) =>
    fetch(`${target.base_url}${path}`, {
      method,
      headers: { "x-api-key": target.api_key, "content-type": "application/json" },
      body: json === undefined ? null : JSON.stringify(json),
      signal
    }).then(answered)
  )

/** A new suite's id. */
export const newSuite = (target: Target): Effect.Effect<string> =>
  Effect.map(call(target, "POST", "/v1/suites", { name: `Suite ${crypto.randomUUID()}` }), ({ json }) =>
    String(json["id"])
  )

const FileList = Schema.Struct({ items: Schema.Array(SessionFile) })

/** A session's files, the first hundred of them. */
export const filesOf = (target: Target, id: unknown): Effect.Effect<ReadonlyArray<SessionFile>> =>
  call(target, "GET", `/v1/sessions/${id}/files?limit=100`).pipe(
    Effect.flatMap(({ json }) => Schema.decodeUnknown(FileList)(json)),
    Effect.orDie,
    Effect.map(({ items }) => items)
  )

/** A file's bytes as they were asked for. */
export const download = (target: Target, id: unknown, path: string): Effect.Effect<Buffer> =>
  Effect.promise(async () => {
    const response = await fetch(
      `${target.base_url}/v1/sessions/${id}/files/content?path=${encodeURIComponent(path)}`,
      {
        headers: { "x-api-key": target.api_key }
      }
    )
    if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return Buffer.from(await response.arrayBuffer())
  })

/** Path and content of all of a session's files, each compared with its digest and size. */
export const contentOf = (target: Target, id: unknown): Effect.Effect<Readonly<Record<string, string>>> =>
  Effect.gen(function* () {
    const content: Record<string, string> = {}
    for (const { path, sha256: digest, size_bytes } of yield* filesOf(target, id)) {
      const bytes = yield* download(target, id, path)
      if (sha256(bytes) !== digest || bytes.length !== size_bytes) throw new Error(`${path} is not what its row says`)
      content[path] = bytes.toString("latin1")
    }
    return content
  })

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

/** Small recordings of known formats. */
export const chat = '{"role":"user","content":"hello"}\n{"role":"assistant","content":"hi"}\n'
export const inputEvents = '{"timestamp":1,"type":"click","target":{"selector":"#a"}}\n'
export const networkTraffic = '{"timestamp":1,"method":"GET","url":"https://a.example/","status":200}\n'
export const recorder = '{"title":"buy","steps":[{"type":"navigate","url":"https://a.example/"}]}'
export const png = Buffer.from("89504e470d0a1a0a0000", "hex")

const LINE = Buffer.from(`{"role":"user","content":"${"a".repeat(998)}"}\n`)
const BLOCK = Buffer.concat(Array.from({ length: 250 }, () => LINE))

/** A chat recording of about so many bytes, made piece by piece, each piece different. */
export function* longChat(bytes: number): Generator<Uint8Array> {
  for (let sent = 0, turn = 0; sent < bytes; turn++) {
    const block = Buffer.from(BLOCK)
    block.write(String(turn), LINE.indexOf("aaaa"))
    const piece = block.subarray(0, Math.min(block.length, Math.ceil((bytes - sent) / LINE.length) * LINE.length))
    sent += piece.length
    yield piece
  }
}

/** A body that is made while it is sent. */
export const streamed = (pieces: Iterable<Uint8Array>): ReadableStream<Uint8Array> => {
  const iterator = pieces[Symbol.iterator]()
  return new ReadableStream({
    pull: (controller) => {
      const next = iterator.next()
      if (next.done === true) controller.close()
      else controller.enqueue(Uint8Array.from(next.value))
    }
  })
}
