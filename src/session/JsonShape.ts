import {
  CLOSE_OBJECT,
  CURLY,
  MAX_DEPTH,
  OPEN_ARRAY,
  OPEN_OBJECT,
  OPEN_TO_CLOSE,
  pastQuote,
  QUOTE
} from "./JsonBytes.ts"
import { JsonSample } from "./JsonSample.ts"

/** How far into a file the first `{` of a JSONP wrapper, or after some text, may be. */
const MAX_PREFIX_BYTES = 4096
const COMMA = 0x2c
const COLON = 0x3a

const isSpace = (byte: number) => byte === 0x20 || (byte >= 9 && byte <= 13)
const isByteOrderMark = (byte: number) => byte === 0xef || byte === 0xbb || byte === 0xbf

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

export interface JsonShapeResult {
  readonly kind: "object" | "array" | "other" | "empty"
  /** A likeness of an object or array, see {@link JsonSample}. */
  readonly sample: unknown
  /** There is text before the document, as in JSONP; what follows its end is then not looked at. */
  readonly prefixed: boolean
  /** What is wrong with its brackets and strings: `ends in the middle of an object`. */
  readonly problem: string | undefined
}

/**
 * Looks at a JSON document as its bytes come, in any chunking and in bounded memory, without parsing
 * it: brackets and strings must balance ({@link MAX_DEPTH} levels at most); commas, colons, numbers,
 * words and UTF-8 are not checked. A byte order mark at the start is passed over.
 */
export class JsonShape {
  #stage: "start" | "prefix" | "inside" | "after" | "broken" = "start"
  #kind: JsonShapeResult["kind"] = "empty"
  #prefixed = false
  #problem: string | undefined
  /** What came before any document. */
  #head = ""
  /** Bytes of earlier chunks. */
  #base = 0
  readonly #brackets = new Uint8Array(MAX_DEPTH)
  #depth = 0
  #inString = false
  #escaped = false
  readonly #sample = new JsonSample()
  readonly #prefixAllowed: boolean

  /** @param options.prefix whether text before the document is looked past, as far as 4 KiB */
  constructor(options: { readonly prefix: boolean } = { prefix: true }) {
    this.#prefixAllowed = options.prefix
  }

  get kind(): JsonShapeResult["kind"] {
    return this.#kind
  }

  /** The chunk is not kept: it may be reused once this returns. */
  write(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let at = 0
    if (this.#stage === "start") at = this.#start(bytes)
    if (this.#stage === "prefix") at = this.#skipPrefix(bytes, at)
    if (this.#stage === "inside") at = this.#inside(bytes, at)
    if (this.#stage === "after" && !this.#prefixed) this.#after(bytes, at)
    this.#base += bytes.length
  }

  end(): JsonShapeResult {
    const problem = this.#problem ?? this.#lack()
    return { kind: this.#kind, sample: this.#sample.value, prefixed: this.#prefixed, problem }
  }

  #lack(): string | undefined {
    if (this.#stage === "start") return "is empty"
    if (this.#stage === "prefix") return isJson(this.#head) ? undefined : "is not JSON"
    if (this.#stage !== "inside") return undefined
    if (this.#inString) return "ends in the middle of a string"
    return `ends in the middle of an ${this.#brackets[this.#depth - 1] === OPEN_ARRAY ? "array" : "object"}`
  }

  #break(problem: string): void {
    this.#stage = "broken"
    this.#problem = problem
  }

  #start(bytes: Buffer): number {
    let at = 0
    for (; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0
      if (isSpace(byte) || isByteOrderMark(byte)) continue
      this.#stage = (byte | CURLY) === OPEN_OBJECT ? "inside" : "prefix"
      this.#kind = "other"
      break
    }
    return at
  }

  #skipPrefix(bytes: Buffer, from: number): number {
    if (!this.#prefixAllowed) {
      this.#break("is not JSON")
      return from
    }
    const before = this.#head.length
    this.#head += bytes.toString("latin1", from, from + MAX_PREFIX_BYTES - before)
    const brace = this.#head.startsWith('"') ? -1 : this.#head.indexOf("{", before)
    if (brace >= 0) {
      this.#prefixed = true
      this.#stage = "inside"
      return from + brace - before
    }
    if (this.#head.length === MAX_PREFIX_BYTES) this.#break("is not JSON")
    return bytes.length
  }

  #inside(bytes: Buffer, from: number): number {
    let at = from
    while (at < bytes.length && this.#stage === "inside") {
      if (this.#inString) at = this.#string(bytes, at)
      else if (this.#depth > this.#sample.depth) at = this.#skip(bytes, at)
      else at = this.#token(bytes, at)
    }
    return at
  }

  #after(bytes: Buffer, from: number): void {
    for (let at = from; at < bytes.length; at++) {
      if (isSpace(bytes[at] ?? 0)) continue
      this.#break(`has more text after its end, at byte ${this.#base + at}`)
      return
    }
  }

  /** One token of a container that is sampled. */
  #token(bytes: Buffer, at: number): number {
    const byte = bytes[at] ?? 0
    if (byte === QUOTE) return this.#string(bytes, at + 1)
    if ((byte | CURLY) === OPEN_OBJECT) this.#open(byte)
    else if ((byte | CURLY) === CLOSE_OBJECT) this.#close(byte, at + 1)
    else if (byte === COMMA) this.#sample.comma()
    else if (byte !== COLON && !isSpace(byte)) this.#sample.scalar()
    return at + 1
  }

  #open(byte: number): void {
    const kind = byte === OPEN_ARRAY ? "array" : "object"
    if (this.#depth === 0) this.#kind = kind
    this.#brackets[this.#depth++] = byte
    this.#sample.open(kind)
  }

  #close(byte: number, past: number): void {
    if (this.#brackets[--this.#depth] !== byte - OPEN_TO_CLOSE) {
      this.#mismatch(byte, past)
      return
    }
    this.#sample.close()
    if (this.#depth === 0) this.#stage = "after"
  }

  #tooDeep(past: number): number {
    this.#break(`is nested deeper than ${MAX_DEPTH} levels`)
    return past
  }

  #mismatch(byte: number, past: number): number {
    this.#break(`has a ${String.fromCharCode(byte)} that closes nothing, at byte ${this.#base + past - 1}`)
    return past
  }

  #string(bytes: Buffer, from: number): number {
    const past = pastQuote(bytes, this.#escaped ? from + 1 : from)
    const sampled = this.#depth === this.#sample.depth
    const ended = past <= bytes.length
    if (sampled) this.#sample.text(bytes, from, ended ? past - 1 : bytes.length)
    if (sampled && ended) this.#sample.endString()
    this.#inString = !ended
    this.#escaped = past === bytes.length + 2
    return ended ? past : bytes.length
  }

  /** Goes on, by structure alone, to the end of the container that is not sampled: where the time goes. */
  #skip(bytes: Buffer, from: number): number {
    const length = bytes.length
    const floor = this.#sample.depth
    const brackets = this.#brackets
    let depth = this.#depth
    let at = from
    while (at < length && depth > floor) {
      const byte = bytes[at++] ?? 0
      if (byte === QUOTE) {
        at = pastQuote(bytes, at)
        if (at > length) {
          this.#inString = true
          this.#escaped = at === length + 2
          at = length
        }
      } else if ((byte | CURLY) === OPEN_OBJECT) {
        if (depth === MAX_DEPTH) return this.#tooDeep(at)
        brackets[depth++] = byte
      } else if ((byte | CURLY) === CLOSE_OBJECT && brackets[--depth] !== byte - OPEN_TO_CLOSE) {
        return this.#mismatch(byte, at)
      }
    }
    this.#depth = depth
    if (depth === 0) this.#stage = "after"
    return at
  }
}
