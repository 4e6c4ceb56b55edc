import type { Format } from "../domain/session/Session.ts"
import { baseName, extensionOf } from "./BundlePath.ts"
import { ChatEvidence, documentRules, firstRule, isObject, lineRules } from "./FormatRules.ts"

export type Detection = { readonly format: Format } | { readonly unknown: string }

const MAX_SEEN = 5
const MAX_KEYS = 8
const MAX_TEXT = 40

const short = (text: string) => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT).toWellFormed()}…` : text)

const described = (value: unknown): string => {
  if (Array.isArray(value))
    return value.length === 0 ? "an empty array" : `an array of which the first is ${described(value[0])}`
  if (!isObject(value)) return typeof value === "string" ? "a string" : "a scalar"
  const keys = Object.keys(value)
  return keys.length === 0 ? "an empty object" : `an object with ${keys.slice(0, MAX_KEYS).map(short).join(", ")}`
}

/** Whether files of these names are, together, an unpacked Playwright trace. */
class PlaywrightNames {
  #trace = false
  #beside = false

  add(path: string): void {
    if (path.endsWith(".trace")) this.#trace = true
    else if (path.endsWith(".network") || /(^|\/)resources\//.test(path)) this.#beside = true
  }

  get complete(): boolean {
    return this.#trace && this.#beside
  }
}

/** Whether an archive with these entries is a Playwright `trace.zip`. */
export const isPlaywrightTrace = (entryNames: Iterable<string>): boolean => {
  const names = new PlaywrightNames()
  for (const name of entryNames) names.add(name)
  return names.complete
}

/** What one file's content says about its format. Its reader (FileChecks.ts) calls `end` once. */
export class FileEvidence {
  readonly #path: string
  readonly #conclude: (evidence: FileEvidence) => void
  readonly #chat = new ChatEvidence()
  readonly #votes = new Map<Format, number>()
  readonly #entries = new PlaywrightNames()
  #document: Format | undefined
  #seen: string | undefined

  constructor(path: string, conclude: (evidence: FileEvidence) => void) {
    this.#path = path
    this.#conclude = conclude
  }

  /** One of the first lines of JSON Lines. */
  line(value: unknown): void {
    this.#seen ??= `lines such as ${described(value)}`
    const format = firstRule(lineRules, value)
    if (format !== undefined) this.#votes.set(format, (this.#votes.get(format) ?? 0) + 1)
    else this.#chat.add(value)
  }

  /** A JSON document, or a likeness of it. */
  document(value: unknown): void {
    this.#seen = described(value)
    this.#document = firstRule(documentRules, value)
    if (this.#document !== undefined || this.#chat.add(value)) return
    if (extensionOf(this.#path) === "traj") this.#document = "swe-agent"
  }

  /** The name of a file in an archive that is kept whole. */
  entry(name: string): void {
    this.#entries.add(name)
  }

  end(): void {
    this.#conclude(this)
  }

  get format(): Format | undefined {
    if (this.#document !== undefined) return this.#document
    const chosen = [...this.#votes].sort(([, one], [, other]) => other - one)[0]
    if (chosen !== undefined) return chosen[0]
    if (this.#entries.complete) return "playwright.trace"
    return this.#chat.format(baseName(this.#path) === "messages.jsonl")
  }

  get seen(): string {
    return `${short(this.#path)} (${this.#seen ?? "not JSON"})`
  }

  get path(): string {
    return this.#path
  }
}

/**
 * Finds out which recording a bundle is, from what its files hold; names only help. One sniffer per
 * bundle, one `file` per file of it, in any order; its memory does not grow with the files.
 */
export class FormatSniffer {
  readonly #names = new PlaywrightNames()
  readonly #found = new Map<Format, string>()
  readonly #unknown: Array<string> = []
  #files = 0
  #inputEvents = false
  #networkTraffic = false

  file(path: string): FileEvidence {
    this.#files++
    this.#names.add(path)
    if (baseName(path) === "input_events.jsonl") this.#inputEvents = true
    if (baseName(path) === "network_traffic.jsonl") this.#networkTraffic = true
    return new FileEvidence(path, (evidence) => this.#add(evidence))
  }

  /** True once nothing that a file holds can change the answer. */
  get decided(): boolean {
    return this.#inputEvents
  }

  #add(evidence: FileEvidence): void {
    const format = evidence.format
    if (format === undefined) {
      if (this.#unknown.length < MAX_SEEN) this.#unknown.push(evidence.seen)
    } else if (!this.#found.has(format)) this.#found.set(format, short(evidence.path))
  }

  /** To be called when every file has ended. */
  detect(): Detection {
    if (this.#inputEvents) return { format: "tracepipe.browser/v1" }
    if (this.#names.complete) return { format: "playwright.trace" }
    const found = [...this.#found]
    // A HAR is what many recordings have beside them for their network.
    const main = found.length > 1 ? found.filter(([format]) => format !== "har") : found
    if (main.length === 1 && main[0] !== undefined) return { format: main[0][0] }
    if (main.length > 1) {
      const list = main.map(([format, path]) => `${format} (${path})`).join(", ")
      return { unknown: `the files are of several formats: ${list}` }
    }
    if (this.#networkTraffic) return { unknown: "network_traffic.jsonl has no input_events.jsonl beside it" }
    if (this.#files === 0) return { unknown: "there are no files" }
    const more = this.#files > this.#unknown.length ? ` and ${this.#files - this.#unknown.length} more` : ""
    return { unknown: `no file is a known recording: ${this.#unknown.join(", ")}${more}` }
  }
}
