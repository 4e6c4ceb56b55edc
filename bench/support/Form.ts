const MIB = 1024 ** 2

/** Bytes that are made as they are sent: neither side of a benchmark holds a bundle in memory. */
interface Content {
  readonly bytes: number
  readonly pieces: () => Iterable<Uint8Array>
}

interface FilePart {
  readonly name: string
  readonly file_name: string
  readonly content: Content
}

const repeated = (block: Uint8Array, bytes: number): Content => ({
  bytes,
  pieces: function* () {
    for (let left = bytes; left > 0; left -= block.length) yield left < block.length ? block.subarray(0, left) : block
  }
})

/** Whole lines only, about as many as asked for. */
const lines = (line: (index: number) => unknown, bytes: number): Content => {
  const text: Array<string> = []
  for (let index = 0, length = 0; length < Math.min(MIB, bytes); index++) {
    const json = `${JSON.stringify(line(index))}\n`
    length += json.length
    text.push(json)
  }
  const block = new TextEncoder().encode(text.join(""))
  return repeated(block, block.length * Math.max(1, Math.round(bytes / block.length)))
}

const noise = (bytes: number) => {
  const block = new Uint8Array(bytes)
  for (let at = 0; at < bytes; at += 65_536) crypto.getRandomValues(block.subarray(at, at + 65_536))
  return block
}

const inputEvent = (index: number) => ({
  timestamp: 1_760_000_000_000 + index * 40,
  type: ["click", "keydown", "input", "scroll"][index % 4],
  target: {
    selector: `main > section:nth-child(${index % 9}) > form > button.primary`,
    role: "button",
    name: `Save draft ${index}`,
    tag: "BUTTON"
  },
  value: index % 4 === 2 ? `value ${index}` : undefined,
  url: `https://app.example.com/projects/${index % 50}/settings?tab=general`,
  x: index % 1280,
  y: index % 720
})

const networkEvent = (index: number) => ({
  timestamp: new Date(1_760_000_000_000 + index * 90).toISOString(),
  method: index % 3 === 0 ? "POST" : "GET",
  url: `https://api.example.com/v2/projects/${index}/items?page=${index % 10}&per_page=50`,
  status: index % 17 === 0 ? 404 : 200,
  request_headers: { accept: "application/json", "x-request-id": `req-${index}`, "user-agent": "Mozilla/5.0 (X11)" },
  response_headers: { "content-type": "application/json", "cache-control": "private, max-age=0" },
  response_body: JSON.stringify(
    Array.from({ length: 1 + (index % 24) }, (_, item) => ({
      id: index * 50 + item,
      title: `Item “${item}”`,
      done: item % 2 === 0
    }))
  ),
  duration_ms: index % 400
})

const screenshot = (index: number, block: Uint8Array): FilePart => ({
  name: "screenshots",
  file_name: `${String(index).padStart(4, "0")}.png`,
  content: repeated(block, block.length)
})

/** A browser recording of the given size: events, traffic, 100 screenshots, and a video for the rest. */
const recording = (bytes: number): ReadonlyArray<FilePart> => {
  const png = noise(500_000)
  png.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  const share = Math.min(1, bytes / 1024 ** 3)
  const parts = [
    { name: "input_events", file_name: "input_events.jsonl", content: lines(inputEvent, 20e6 * share) },
    { name: "network_traffic", file_name: "network_traffic.jsonl", content: lines(networkEvent, 150e6 * share) },
    ...Array.from({ length: Math.round(100 * share) }, (_, index) => screenshot(index, png))
  ]
  const rest = Math.max(0, bytes - parts.reduce((sum, { content }) => sum + content.bytes, 0))
  return [...parts, { name: "video", file_name: "video.webm", content: repeated(noise(MIB), rest) }]
}

/** The smallest recording that is one, and a single binary file. */
const binary = (bytes: number): ReadonlyArray<FilePart> => [
  { name: "input_events", file_name: "input_events.jsonl", content: lines(inputEvent, 1) },
  { name: "video", file_name: "video.webm", content: repeated(noise(MIB), bytes) }
]

/** A recording of nothing but its events. */
const events = (bytes: number): ReadonlyArray<FilePart> => [
  { name: "input_events", file_name: "input_events.jsonl", content: lines(inputEvent, bytes) }
]

export const bundles = { recording, binary, events }

export type BundleKind = keyof typeof bundles

export interface Form extends Content {
  readonly content_type: string
}

/** `multipart/form-data` as a browser would send it. */
export const form = (suite_id: string, parts: ReadonlyArray<FilePart>): Form => {
  const boundary = "----bench7MA4YWxkTrZu0gW"
  const encoder = new TextEncoder()
  const whole = (text: string): Content => repeated(encoder.encode(text), encoder.encode(text).length)
  const head = (part: FilePart) =>
    whole(
      `\r\n--${boundary}\r\nContent-Disposition: form-data; name="${part.name}"; filename="${part.file_name}"\r\nContent-Type: application/octet-stream\r\n\r\n`
    )
  const contents = [
    whole(`--${boundary}\r\nContent-Disposition: form-data; name="suite_id"\r\n\r\n${suite_id}`),
    ...parts.flatMap((part) => [head(part), part.content]),
    whole(`\r\n--${boundary}--\r\n`)
  ]
  return {
    content_type: `multipart/form-data; boundary=${boundary}`,
    bytes: contents.reduce((sum, content) => sum + content.bytes, 0),
    pieces: function* () {
      for (const content of contents) yield* content.pieces()
    }
  }
}
