import { requireInputEvent, requireNetworkEvent } from "./BrowserEvents.ts"
import { baseName, contentTypeOf, extensionOf } from "./BundlePath.ts"
import type { FileEvidence, FormatSniffer } from "./Format.ts"
import { JsonLines, type JsonLinesOptions, type JsonLinesResult } from "./JsonLines.ts"
import { JsonShape } from "./JsonShape.ts"
import { ZipNames } from "./ZipNames.ts"

export interface FileProblem {
  /** Counted from 1. */
  readonly line?: number
  readonly message: string
}

export interface FileCheckResult {
  /** Lines that are not blank; only of JSON Lines. */
  readonly line_count?: number
  readonly problems: ReadonlyArray<FileProblem>
}

/** Sees a file's bytes go by. `write` keeps nothing of the chunk; `end` is called once, after the last. */
export interface FileCheck {
  readonly write: (chunk: Uint8Array) => void
  readonly end: () => FileCheckResult
}

/** A file whose first line is longer than this is one JSON document, whatever follows. */
const MAX_FIRST_LINE_BYTES = 1024 * 1024
const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const LF = 10

const jsonExtensions: ReadonlySet<string> = new Set(["json", "har", "harp", "traj"])
const lineExtensions: ReadonlySet<string> = new Set(["jsonl", "ndjson"])
/** Bodies that Playwright keeps beside a trace or a HAR, named by their SHA-1: of any content, well-formed or not. */
const isAttachment = (path: string) => /^[0-9a-f]{40}\./.test(baseName(path))

const requirements: ReadonlyMap<string, NonNullable<JsonLinesOptions["require"]>> = new Map([
  ["input_events.jsonl", requireInputEvent],
  ["network_traffic.jsonl", requireNetworkEvent]
])

const lineProblems = (result: JsonLinesResult): ReadonlyArray<FileProblem> => {
  const more = result.error_count - result.errors.length
  return more === 0 ? result.errors : [...result.errors, { message: `${more} more lines are bad` }]
}

const nothing = (evidence: FileEvidence): FileCheck => ({
  write: () => {},
  end: () => {
    evidence.end()
    return { problems: [] }
  }
})

const pngCheck = (evidence: FileEvidence): FileCheck => {
  const head = Buffer.alloc(PNG_SIGNATURE.length)
  let length = 0
  return {
    write: (chunk) => {
      if (length === head.length) return
      const part = chunk.subarray(0, head.length - length)
      head.set(part, length)
      length += part.length
    },
    end: () => {
      evidence.end()
      return { problems: head.equals(PNG_SIGNATURE) ? [] : [{ message: "not a PNG file" }] }
    }
  }
}

const zipCheck = (evidence: FileEvidence): FileCheck => {
  const names = new ZipNames((name) => evidence.entry(name))
  return { write: (chunk) => names.write(chunk), end: nothing(evidence).end }
}

const linesCheck = (path: string, evidence: FileEvidence, decided: boolean): FileCheck => {
  const lines = new JsonLines({
    require: requirements.get(baseName(path)),
    // For a small file telling its format takes as long as checking it.
    sample: decided ? undefined : (value) => evidence.line(value)
  })
  return {
    write: (chunk) => lines.write(chunk),
    end: () => {
      const result = lines.end()
      evidence.end()
      return { line_count: result.line_count, problems: lineProblems(result) }
    }
  }
}

/**
 * A file that is one JSON document or JSON Lines. Both readers look at its beginning: it is JSON
 * Lines when its first line is a whole value and another line follows.
 */
class JsonCheck implements FileCheck {
  readonly #evidence: FileEvidence
  readonly #promised: boolean
  #shape: JsonShape | undefined
  #lines: JsonLines | undefined
  /** Bytes that went by while it was undecided. */
  #tried = 0

  /** @param promised the file's name says that it is JSON: then anything else is a problem */
  constructor(evidence: FileEvidence, promised: boolean) {
    this.#evidence = evidence
    this.#promised = promised
    this.#shape = new JsonShape({ prefix: promised })
    this.#lines = new JsonLines({ sample: (value) => evidence.line(value) })
  }

  write(chunk: Uint8Array): void {
    this.#shape?.write(chunk)
    // With no prefix allowed this is final: the first byte is no bracket.
    if (!this.#promised && this.#shape?.kind === "other") this.#lines = undefined
    let from = 0
    while (this.#shape !== undefined && this.#lines !== undefined && from < chunk.length) {
      from += this.#tryLine(this.#lines, chunk.subarray(from))
    }
    this.#lines?.write(chunk.subarray(from))
  }

  /** Undecided as yet: reads on to the next line end; the bytes it took. */
  #tryLine(lines: JsonLines, bytes: Uint8Array): number {
    const newline = bytes.indexOf(LF)
    const line = newline < 0 ? bytes.length : newline + 1
    const taken = lines.result.line_count === 0 ? Math.min(line, MAX_FIRST_LINE_BYTES - this.#tried) : line
    lines.write(bytes.subarray(0, taken))
    this.#tried += taken
    this.#decide(lines.result)
    return taken
  }

  #decide(lines: JsonLinesResult): void {
    if (lines.line_count > 1) this.#shape = undefined
    else if (lines.error_count > 0) this.#lines = undefined
    else if (lines.line_count === 0 && this.#tried >= MAX_FIRST_LINE_BYTES) this.#lines = undefined
  }

  end(): FileCheckResult {
    const lines = this.#lines?.end()
    if (lines !== undefined) this.#decide(lines)
    const result = this.#shape === undefined ? this.#endLines(lines) : this.#endDocument(this.#shape)
    this.#evidence.end()
    return this.#promised || this.#evidence.format !== undefined ? result : { ...result, problems: [] }
  }

  #endLines(lines: JsonLinesResult | undefined): FileCheckResult {
    return lines === undefined ? { problems: [] } : { line_count: lines.line_count, problems: lineProblems(lines) }
  }

  #endDocument(shape: JsonShape): FileCheckResult {
    const { kind, sample, prefixed, problem } = shape.end()
    if (kind === "object" || kind === "array") this.#evidence.document(sample)
    if (problem !== undefined) return { problems: [{ message: problem }] }
    // Some HAR exporters wrap the document in a call, or print a line before it.
    const misplaced = prefixed && this.#evidence.format !== "har"
    return { problems: misplaced ? [{ message: "has text before its JSON" }] : [] }
  }
}

/**
 * The check that a file's name, and where it says little the content, calls for; what it sees of the
 * content it tells to the bundle's sniffer. Messages are made to follow the file's name: `ends in the
 * middle of an object`.
 * @param path as {@link bundlePath} gives it
 */
export const openFileCheck = (path: string, sniffer: FormatSniffer): FileCheck => {
  const evidence = sniffer.file(path)
  const extension = extensionOf(path)
  if (extension === "png") return pngCheck(evidence)
  if (extension === "zip") return zipCheck(evidence)
  if (isAttachment(path)) return nothing(evidence)
  if (lineExtensions.has(extension)) return linesCheck(path, evidence, sniffer.decided)
  if (jsonExtensions.has(extension)) return new JsonCheck(evidence, true)
  const type = contentTypeOf(path)
  return type === "application/octet-stream" || type === "text/plain"
    ? new JsonCheck(evidence, false)
    : nothing(evidence)
}
