import { CLOSE_OBJECT, CURLY, excess, MAX_DEPTH, OPEN_ARRAY, OPEN_OBJECT, pastQuote, QUOTE } from "../JsonBytes.ts"
import type { PathNode } from "./ElementPaths.ts"
import { type JsonProblem, notJson } from "./JsonLineReader.ts"
import type { Members } from "./Values.ts"

export const MAX_ELEMENT_BYTES = 64 * 1024 * 1024
/** How far into a file a JSONP wrapper's `{`, or one after some text, may be. */
const MAX_PREFIX_BYTES = 4096
/** Smaller values have no room for more objects than can be worked with. */
const CHECKED_BYTES = 2 * MAX_DEPTH

const COMMA = 0x2c
const COLON = 0x3a
const CLOSE_ARRAY = 0x5d

const isSpace = (byte: number) => byte === 0x20 || (byte >= 9 && byte <= 13)
const endsScalar = (byte: number) => byte === COMMA || byte === CLOSE_ARRAY || byte === CLOSE_OBJECT || isSpace(byte)

/** What is found in a document. `around` are the objects that it lies in, outermost first, as far as they were read. */
export interface ElementHandler {
  readonly element: (path: string, value: unknown, around: ReadonlyArray<Members>, bytes: number) => void
  /** An object on the way to elements has ended: its other members. */
  readonly object: (path: string, members: Members, around: ReadonlyArray<Members>) => void
}

interface Frame {
  readonly node: PathNode
  /** Undefined in arrays. */
  readonly members: Record<string, unknown> | undefined
  key: string
  bytes: number
}

type Expect = "start" | "prefix" | "value" | "element or end" | "key" | "key or end" | "colon" | "comma or end" | "done"
type Captured = "key" | "string" | "scalar" | "container"

/**
 * Finds the elements of some arrays in a JSON document as its bytes come, in any chunking, and parses
 * nothing bigger than one of them. What is malformed, or too big, becomes its `problem`.
 */
export class JsonElements {
  problem: JsonProblem | undefined
  #expect: Expect = "start"
  readonly #frames: Array<Frame> = []
  readonly #around: Array<Members> = []
  #head = ""
  #prefixed = false
  #captured: Captured | undefined
  #depth = 0
  #inString = false
  #escaped = false
  #held: Array<Buffer> = []
  #heldBytes = 0
  readonly #root: PathNode
  readonly #handler: ElementHandler
  readonly #prefix: boolean
  readonly #maxBytes: number

  /** @param options.prefix whether text before the document is looked past, as far as 4 KiB */
  constructor(
    root: PathNode,
    handler: ElementHandler,
    options: { readonly prefix?: boolean; readonly max_element_bytes?: number } = {}
  ) {
    this.#root = root
    this.#handler = handler
    this.#prefix = options.prefix ?? false
    this.#maxBytes = options.max_element_bytes ?? MAX_ELEMENT_BYTES
  }

  /** The chunk is not kept. */
  write(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let at = 0
    while (at < bytes.length && this.problem === undefined) {
      if (this.#captured !== undefined) at = this.#capture(this.#captured, bytes, at)
      else if (this.#expect === "prefix") at = this.#skipPrefix(bytes, at)
      else at = this.#token(bytes, at)
    }
  }

  end(): void {
    if (this.problem !== undefined) return
    if (this.#captured === "scalar") this.#endCapture("scalar", Buffer.alloc(0))
    if (this.problem !== undefined || this.#expect === "done") return
    if (this.#expect === "prefix") this.#fail("is not JSON")
    else this.#fail(this.#expect === "start" ? "is empty" : "ends in the middle of the document")
  }

  #fail(reason: string): number {
    this.problem = { reason }
    this.#held = []
    return Number.POSITIVE_INFINITY
  }

  #token(bytes: Buffer, at: number): number {
    const byte = bytes[at] ?? 0
    if (isSpace(byte)) return at + 1
    switch (this.#expect) {
      case "start":
        return this.#start(byte, bytes, at)
      case "value":
        return this.#value(byte, at)
      case "element or end":
        return byte === CLOSE_ARRAY ? this.#close(at) : this.#value(byte, at)
      case "key or end":
      case "key":
        if (byte === CLOSE_OBJECT && this.#expect === "key or end") return this.#close(at)
        return byte === QUOTE ? this.#begin("key", at) : this.#unexpected(byte)
      case "colon":
        this.#expect = "value"
        return byte === COLON ? at + 1 : this.#unexpected(byte)
      case "comma or end":
        return this.#next(byte, at)
      default:
        // What closes a JSONP wrapper is not looked at.
        return this.#prefixed ? bytes.length : this.#fail("has more text after its end")
    }
  }

  #unexpected(byte: number): number {
    return this.#fail(`not JSON: unexpected ${JSON.stringify(String.fromCharCode(byte))}`)
  }

  #start(byte: number, bytes: Buffer, at: number): number {
    if (byte === 0xef || byte === 0xbb || byte === 0xbf) return at + 1
    const opens = (byte | CURLY) === OPEN_OBJECT
    this.#expect = opens || !this.#prefix ? "value" : "prefix"
    return opens || !this.#prefix ? this.#value(byte, at) : this.#skipPrefix(bytes, at)
  }

  #skipPrefix(bytes: Buffer, from: number): number {
    const before = this.#head.length
    this.#head += bytes.toString("latin1", from, from + MAX_PREFIX_BYTES - before)
    const brace = this.#head.indexOf("{", before)
    if (brace < 0) return this.#head.length >= MAX_PREFIX_BYTES ? this.#fail("is not JSON") : bytes.length
    this.#prefixed = true
    this.#expect = "value"
    return from + brace - before
  }

  #value(byte: number, at: number): number {
    const frame = this.#frames.at(-1)
    const node =
      frame === undefined
        ? this.#root
        : frame.members === undefined
          ? frame.node.items
          : frame.node.members?.get(frame.key)
    if (byte === OPEN_ARRAY && node?.items !== undefined) return this.#open(node, undefined, at)
    if (byte === OPEN_OBJECT && node?.members !== undefined) return this.#open(node, Object.create(null), at)
    if (byte === QUOTE) return this.#begin("string", at)
    return this.#begin((byte | CURLY) === OPEN_OBJECT ? "container" : "scalar", at)
  }

  #open(node: PathNode, members: Record<string, unknown> | undefined, at: number): number {
    this.#frames.push({ node, members, key: "", bytes: 0 })
    if (members !== undefined) this.#around.push(members)
    this.#expect = members === undefined ? "element or end" : "key or end"
    return at + 1
  }

  #close(at: number): number {
    const frame = this.#frames.pop()
    this.#expect = this.#frames.length === 0 ? "done" : "comma or end"
    if (frame?.members !== undefined) {
      this.#around.pop()
      this.#handler.object(frame.node.path, frame.members, this.#around)
    }
    return at + 1
  }

  #next(byte: number, at: number): number {
    const inArray = this.#frames.at(-1)?.members === undefined
    if (byte === (inArray ? CLOSE_ARRAY : CLOSE_OBJECT)) return this.#close(at)
    this.#expect = inArray ? "value" : "key"
    return byte === COMMA ? at + 1 : this.#unexpected(byte)
  }

  #begin(captured: Captured, at: number): number {
    this.#captured = captured
    this.#depth = 0
    this.#inString = false
    return at
  }

  /** Reads on to the end of the value that began; what comes before the chunk's end is kept. */
  #capture(captured: Captured, bytes: Buffer, from: number): number {
    const past =
      captured === "scalar"
        ? this.#pastScalar(bytes, from)
        : captured === "container"
          ? this.#pastContainer(bytes, from)
          : this.#pastString(bytes, from)
    const end = Math.min(past, bytes.length)
    if (this.#heldBytes + end - from > this.#maxBytes) {
      return this.#fail(`holds a value of more than ${this.#maxBytes} bytes`)
    }
    if (past <= bytes.length) this.#endCapture(captured, bytes.subarray(from, past))
    else if (this.problem === undefined) {
      this.#held.push(Buffer.from(bytes.subarray(from)))
      this.#heldBytes += bytes.length - from
    }
    return end
  }

  #pastScalar(bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; at++) if (endsScalar(bytes[at] ?? 0)) return at
    return bytes.length + 1
  }

  #pastString(bytes: Buffer, from: number): number {
    // The first byte of a string that just began is its quote.
    const inside = this.#inString ? from : from + 1
    const past = pastQuote(bytes, this.#escaped ? inside + 1 : inside)
    this.#inString = past > bytes.length
    this.#escaped = past === bytes.length + 2
    return past
  }

  #pastContainer(bytes: Buffer, from: number): number {
    const length = bytes.length
    let depth = this.#depth
    let at = from
    if (this.#inString) at = this.#pastString(bytes, at)
    while (at < length) {
      const byte = bytes[at++] ?? 0
      if (byte === QUOTE) {
        at = pastQuote(bytes, at)
        if (at > length) {
          this.#inString = true
          this.#escaped = at === length + 2
        }
      } else if ((byte | CURLY) === OPEN_OBJECT) depth++
      else if ((byte | CURLY) === CLOSE_OBJECT && --depth === 0) return at
    }
    this.#depth = depth
    return length + 1
  }

  #endCapture(captured: Captured, last: Buffer): void {
    const whole = this.#heldBytes === 0 ? last : Buffer.concat([...this.#held, last])
    this.#held = []
    this.#heldBytes = 0
    this.#captured = undefined
    const reason = whole.length > CHECKED_BYTES ? excess(whole) : undefined
    if (reason !== undefined) {
      this.#fail(`holds a value that ${reason}`)
      return
    }
    let value: unknown
    try {
      value = JSON.parse(whole.toString("utf8"))
    } catch (error) {
      this.#fail(notJson(error))
      return
    }
    this.#deliver(captured, value, whole.length)
  }

  #deliver(captured: Captured, value: unknown, bytes: number): void {
    const frame = this.#frames.at(-1)
    if (frame === undefined) {
      this.#expect = "done"
      this.#handler.element("", value, this.#around, bytes)
      return
    }
    if (captured === "key") {
      frame.key = String(value)
      this.#expect = "colon"
      return
    }
    this.#expect = "comma or end"
    if (frame.members === undefined) {
      this.#handler.element(frame.node.items?.path ?? "", value, this.#around, bytes)
      return
    }
    frame.bytes += bytes
    if (frame.bytes > this.#maxBytes) this.#fail(`holds an object of more than ${this.#maxBytes} bytes`)
    else frame.members[frame.key] = value
  }
}
