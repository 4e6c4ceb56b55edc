import { isUtf8 } from "node:buffer"
import { excess, MAX_DEPTH } from "./JsonBytes.ts"

export const MAX_LINE_BYTES = 32 * 1024 * 1024
export const MAX_LINE_ERRORS = 10
/** Lines handed to `sample`. */
export const SAMPLE_LINES = 50

/** Decoding this much at once costs the least per line and still fits the processor's cache. */
const BLOCK_BYTES = 128 * 1024
/** A line buffer above this size is given back when its line is done. */
const KEPT_BUFFER_BYTES = 1024 * 1024
const MAX_REASON_CHARACTERS = 120

const LF = 10
const EMPTY = Buffer.alloc(0)
/** Stands for a line that has no value: a blank or a bad one. */
const NOTHING = Symbol()

export interface LineError {
  /** Counted from 1, blank lines included. */
  readonly line: number
  readonly message: string
}

export interface JsonLinesResult {
  /** Lines that are not blank, the bad ones among them. */
  readonly line_count: number
  /** The first bad lines, {@link MAX_LINE_ERRORS} at most. */
  readonly errors: ReadonlyArray<LineError>
  readonly error_count: number
}

export interface JsonLinesOptions {
  readonly max_line_bytes?: number
  /** Says what a parsed line lacks. */
  readonly require?: ((value: unknown) => string | undefined) | undefined
  /** Is shown the first {@link SAMPLE_LINES} parsed lines, so that nobody has to parse them again. */
  readonly sample?: ((value: unknown) => void) | undefined
}

const reasonOf = (text: string, error: unknown): string => {
  if (text.includes("\0")) return "the line holds a NUL byte"
  const reason = error instanceof Error ? error.message.replace(/^JSON Parse error: /, "") : String(error)
  return `not JSON: ${reason.slice(0, MAX_REASON_CHARACTERS).toWellFormed()}`
}

/**
 * Checks JSON Lines as their bytes come, in any chunking: every line that is not blank must be UTF-8
 * and one JSON value. LF or CRLF, the last line with or without; a byte order mark at the start is
 * passed over. A line above the limit is an error and is dropped unread, so that no more than one
 * line is ever held. Escaped lone surrogates (`\ud800`) are let through: JSON allows them, and no
 * part of a line is stored as a database string.
 */
export class JsonLines {
  readonly #maxLineBytes: number
  readonly #require: JsonLinesOptions["require"]
  #sample: JsonLinesOptions["sample"]
  /** The beginning of a line whose end has not come yet: `#line[0 .. #held]`. */
  #line = EMPTY
  #held = 0
  #dropping = false
  #number = 0
  #count = 0
  #sampled = 0
  #errorCount = 0
  readonly #errors: Array<LineError> = []

  constructor(options: JsonLinesOptions = {}) {
    this.#maxLineBytes = options.max_line_bytes ?? MAX_LINE_BYTES
    this.#require = options.require
    this.#sample = options.sample
  }

  /** The chunk is not kept: it may be reused once this returns. */
  write(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let from = 0
    if (this.#held > 0 || this.#dropping) {
      const newline = bytes.indexOf(LF)
      this.#hold(newline < 0 ? bytes : bytes.subarray(0, newline))
      if (newline < 0) return
      this.#endHeldLine()
      from = newline + 1
    }
    while (from < bytes.length) {
      const window = bytes.subarray(from, from + BLOCK_BYTES)
      const last = window.lastIndexOf(LF)
      const end = last >= 0 ? from + last : bytes.indexOf(LF, from + window.length)
      if (end < 0) {
        this.#hold(bytes.subarray(from))
        return
      }
      this.#checkBlock(bytes.subarray(from, end))
      from = end + 1
    }
  }

  end(): JsonLinesResult {
    if (this.#held > 0 || this.#dropping) this.#endHeldLine()
    return this.result
  }

  /** As far as whole lines have come. */
  get result(): JsonLinesResult {
    return { line_count: this.#count, errors: this.#errors, error_count: this.#errorCount }
  }

  #hold(part: Buffer): void {
    const size = this.#held + part.length
    if (this.#dropping || size > this.#maxLineBytes) {
      this.#dropping = true
      this.#release()
      return
    }
    if (size > this.#line.length) {
      const grown = Buffer.allocUnsafe(Math.min(this.#maxLineBytes, Math.max(size, 2 * this.#line.length, 4096)))
      grown.set(this.#line.subarray(0, this.#held))
      this.#line = grown
    }
    this.#line.set(part, this.#held)
    this.#held = size
  }

  #release(): void {
    this.#held = 0
    if (this.#dropping || this.#line.length > KEPT_BUFFER_BYTES) this.#line = EMPTY
  }

  #endHeldLine(): void {
    if (this.#dropping) this.#refuseLongLine()
    else this.#checkBytes(this.#line.subarray(0, this.#held))
    this.#release()
    this.#dropping = false
  }

  /** `block` is one or more whole lines without the last line's end. */
  #checkBlock(block: Buffer): void {
    if (block.length > this.#maxLineBytes || !isUtf8(block)) this.#checkLineByLine(block)
    else this.#checkLines(block.toString("utf8"))
  }

  #checkLines(text: string): void {
    let from = 0
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
      this.#checkText(text.slice(from, end))
      from = end + 1
    }
    this.#checkText(text.slice(from))
  }

  #checkLineByLine(block: Buffer): void {
    let from = 0
    for (let end = block.indexOf(LF); end >= 0; end = block.indexOf(LF, from)) {
      this.#checkBytes(block.subarray(from, end))
      from = end + 1
    }
    this.#checkBytes(block.subarray(from))
  }

  #checkBytes(line: Buffer): void {
    if (line.length > this.#maxLineBytes) this.#refuseLongLine()
    else if (isUtf8(line)) this.#checkText(line.toString("utf8"))
    else {
      this.#number++
      this.#refuse("the line is not UTF-8")
    }
  }

  #checkText(line: string): void {
    this.#number++
    if (line === "" || line === "\r") return
    const text = this.#number === 1 && line.startsWith("\ufeff") ? line.slice(1) : line
    const value = this.#parsed(text)
    if (value === NOTHING) return
    this.#count++
    if (this.#sample !== undefined) this.#show(value)
    const lack = this.#require?.(value)
    if (lack !== undefined) this.#report(lack)
  }

  #parsed(text: string): unknown {
    // A shorter line has no room for more than MAX_DEPTH levels.
    const reason = text.length > 2 * MAX_DEPTH ? excess(Buffer.from(text)) : undefined
    if (reason !== undefined) {
      this.#refuse(`the line ${reason}`)
      return NOTHING
    }
    try {
      return JSON.parse(text)
    } catch (error) {
      if (!/^[ \t\r]*$/.test(text)) this.#refuse(reasonOf(text, error))
      return NOTHING
    }
  }

  #show(value: unknown): void {
    this.#sample?.(value)
    this.#sampled++
    if (this.#sampled === SAMPLE_LINES) this.#sample = undefined
  }

  #refuseLongLine(): void {
    this.#number++
    this.#refuse(`line ${this.#number} is longer than ${this.#maxLineBytes} bytes`)
  }

  #refuse(message: string): void {
    this.#count++
    this.#report(message)
  }

  #report(message: string): void {
    this.#errorCount++
    if (this.#errors.length < MAX_LINE_ERRORS) this.#errors.push({ line: this.#number, message })
  }
}
