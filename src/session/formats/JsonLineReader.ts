import { isUtf8 } from "node:buffer"
import { excess, MAX_DEPTH } from "../JsonBytes.ts"
import { MAX_LINE_BYTES } from "../JsonLines.ts"

const BLOCK_BYTES = 128 * 1024
const LF = 10
const MAX_REASON_CHARACTERS = 120

export interface JsonProblem {
  readonly line?: number
  readonly reason: string
}

/** Takes the value of a line; lines count from 1, blank ones included. */
type OnValue = (value: unknown, line: number, bytes: number) => void

/** Hands over the values of JSON Lines as their bytes come, in any chunking. The first bad line ends it. */
export class JsonLineReader {
  problem: JsonProblem | undefined
  readonly #onValue: OnValue
  #held: Array<Buffer> = []
  #heldBytes = 0
  #line = 0

  constructor(onValue: OnValue) {
    this.#onValue = onValue
  }

  /** The chunk is not kept. */
  write(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let from = 0
    if (this.#heldBytes > 0) {
      const newline = bytes.indexOf(LF)
      this.#hold(newline < 0 ? bytes : bytes.subarray(0, newline))
      if (newline < 0) return
      this.#endHeld()
      from = newline + 1
    }
    while (from < bytes.length && this.problem === undefined) {
      const last = bytes.subarray(from, from + BLOCK_BYTES).lastIndexOf(LF)
      const end = last >= 0 ? from + last : bytes.indexOf(LF, from)
      if (end < 0) {
        this.#hold(bytes.subarray(from))
        return
      }
      this.#block(bytes.subarray(from, end))
      from = end + 1
    }
  }

  end(): void {
    if (this.#heldBytes > 0) this.#endHeld()
  }

  #hold(part: Buffer): void {
    if (this.problem !== undefined) return
    this.#heldBytes += part.length
    if (this.#heldBytes > MAX_LINE_BYTES) this.#fail(this.#line + 1, `the line is longer than ${MAX_LINE_BYTES} bytes`)
    else this.#held.push(Buffer.from(part))
  }

  #endHeld(): void {
    if (this.problem === undefined) this.#block(Buffer.concat(this.#held, this.#heldBytes))
    this.#held = []
    this.#heldBytes = 0
  }

  /** Decoding many lines at once costs the least per line. */
  #block(block: Buffer): void {
    const sound = isUtf8(block)
    const text = block.toString("utf8")
    let from = 0
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
      this.#one(text.slice(from, end), sound)
      if (this.problem !== undefined) return
      from = end + 1
    }
    this.#one(text.slice(from), sound)
  }

  #one(line: string, sound: boolean): void {
    this.#line++
    const text = this.#line === 1 && line.startsWith("\ufeff") ? line.slice(1) : line
    if (text === "" || text === "\r") return
    if (!sound && text.includes("\ufffd")) {
      this.#fail(this.#line, "the line is not UTF-8")
      return
    }
    // A shorter line has no room for more than MAX_DEPTH levels.
    const reason = text.length > 2 * MAX_DEPTH ? excess(Buffer.from(text)) : undefined
    if (reason !== undefined) {
      this.#fail(this.#line, `the line ${reason}`)
      return
    }
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (error) {
      if (!/^[ \t\r]*$/.test(text)) this.#fail(this.#line, notJson(error))
      return
    }
    this.#onValue(value, this.#line, text.length)
  }

  #fail(line: number, reason: string): void {
    this.problem = { line, reason }
    this.#held = []
  }
}

export const notJson = (error: unknown): string => {
  const reason = error instanceof Error ? error.message.replace(/^JSON Parse error: /, "") : String(error)
  return `not JSON: ${reason.slice(0, MAX_REASON_CHARACTERS).toWellFormed()}`
}
