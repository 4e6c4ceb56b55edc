/** Where a part says what it is. */
export interface PartHead {
  readonly name: string
  /** Undefined for a plain field; empty for a file input that nothing was chosen for. */
  readonly file_name: string | undefined
}

export type PartEvent =
  | { readonly _tag: "begin"; readonly head: PartHead }
  | { readonly _tag: "bytes"; readonly bytes: Uint8Array }
  | { readonly _tag: "end" }

const MAX_HEAD_BYTES = 16 * 1024
/** What may come before the first boundary. Nobody sends anything there: more says that the boundary is wrong. */
const MAX_PREAMBLE_BYTES = 64 * 1024
/** White space after a boundary (RFC 2046 calls it transport padding). */
const MAX_PADDING_BYTES = 128

const CR = 13
const LF = 10
const DASH = 45
const TAB = 9
const SPACE = 32
const LINE_END = Buffer.from("\r\n")
const HEAD_END = Buffer.from("\r\n\r\n")
const NOTHING = Buffer.alloc(0)

const boundaryParameter = /;\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)+)"|([^\s;"]+))/i

/**
 * The boundary that a Content-Type names. An unquoted one may hold what strictly needs quotes
 * (`:`, `/`, `=`), as many programs send it.
 */
export const boundaryOf = (content_type: string): string | undefined => {
  const match = boundaryParameter.exec(content_type)
  return match?.[1]?.replaceAll(/\\(.)/g, "$1") ?? match?.[2]
}

const utf8 = new TextDecoder("utf-8", { fatal: true })

const decoded = <A>(decode: () => A): A | undefined => {
  try {
    return decode()
  } catch {
    return undefined
  }
}

const parameter = /;[ \t]*([!#$%&'*+.^\w`|~-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;"\s]*))/gs

/** `filename*=UTF-8''…` of RFC 5987, which some programs send although RFC 7578 says not to. */
const extended = (value: string | undefined) => {
  const match = /^utf-8'[^']*'(.*)$/is.exec(value ?? "")?.[1]
  return match === undefined ? undefined : decoded(() => decodeURIComponent(match))
}

/** What a part's header lines say; undefined where they say nothing, or two things. */
const parseHead = (lines: string): PartHead | undefined => {
  const dispositions = lines.split("\r\n").filter((line) => /^content-disposition[ \t]*:/i.test(line))
  const match = /^[^:]*:[ \t]*form-data[ \t]*(;.*)?$/is.exec(dispositions[0] ?? "")
  if (match === null || dispositions.length > 1) return undefined
  const parameters = new Map<string, string>()
  for (const [, key = "", quoted, token = ""] of (match[1] ?? "").matchAll(parameter)) {
    if (parameters.has(key.toLowerCase())) return undefined
    parameters.set(key.toLowerCase(), quoted?.replaceAll(/\\(["\\])/g, "$1") ?? token)
  }
  const name = parameters.get("name")
  if (name === undefined) return undefined
  return { name, file_name: extended(parameters.get("filename*")) ?? parameters.get("filename") }
}

/**
 * Cuts a `multipart/form-data` body (RFC 7578, RFC 2046) into its parts as it comes, in any chunking.
 * Holds back no more than a boundary or a part's header lines. What merely begins like a boundary
 * is content.
 *
 * Our own, because the framework's `multipasta` loses content that begins like a boundary where a chunk
 * ends in it, refuses white space after a boundary, and reads a third as many bytes per second.
 */
export class MultipartParser {
  readonly #delimiter: Buffer
  #state: "preamble" | "boundary" | "head" | "body" | "done" = "preamble"
  /** What the boundary at hand ends, if it is one. */
  #before: "preamble" | "body" = "preamble"
  // A boundary begins a line, and so does the body.
  #rest: Buffer = LINE_END
  #skipped = 0
  #events: Array<PartEvent> = []
  #failure: string | undefined

  constructor(boundary: string) {
    // Header values are Latin-1: this gives back the bytes that the client named.
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, "latin1")
  }

  /** True from the closing boundary on: what follows is to be ignored (RFC 2046, 5.1.1). */
  get complete(): boolean {
    return this.#state === "done"
  }

  /** What is wrong with the body. */
  get failure(): string | undefined {
    return this.#failure
  }

  /** What the chunk brings. The bytes of the events are the chunk's own. */
  write(chunk: Uint8Array): ReadonlyArray<PartEvent> {
    const fresh = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let bytes = this.#rest.length === 0 ? fresh : Buffer.concat([this.#rest, fresh])
    while (this.#state !== "done" && this.#failure === undefined) {
      const taken = this.#step(bytes)
      if (taken === undefined) break
      bytes = bytes.subarray(taken)
    }
    this.#rest = this.#state === "done" ? NOTHING : Buffer.from(bytes)
    const events = this.#events
    this.#events = []
    return events
  }

  /** No byte follows. */
  end(): void {
    if (this.#state === "done") return
    this.#failure ??=
      this.#state === "preamble"
        ? "the form's boundary never came: is it the one that Content-Type names?"
        : "the form ends in the middle of a part"
  }

  /** Bytes that were dealt with; undefined: more have to come first. */
  #step(bytes: Buffer): number | undefined {
    switch (this.#state) {
      case "preamble":
      case "body":
        return this.#content(bytes, this.#state)
      case "boundary":
        return this.#boundary(bytes)
      case "head":
        return this.#head(bytes)
      case "done":
        return undefined
    }
  }

  #content(bytes: Buffer, state: "preamble" | "body"): number | undefined {
    const at = bytes.indexOf(this.#delimiter)
    if (at >= 0) {
      this.#give(bytes.subarray(0, at), state)
      this.#before = state
      this.#state = "boundary"
      return at + this.#delimiter.length
    }
    const taken = bytes.length - this.#beginning(bytes)
    this.#give(bytes.subarray(0, taken), state)
    return taken === 0 ? undefined : taken
  }

  /** How many of the last bytes may be the beginning of a boundary. */
  #beginning(bytes: Buffer): number {
    const from = Math.max(0, bytes.length - this.#delimiter.length + 1)
    for (let at = bytes.indexOf(CR, from); at >= 0; at = bytes.indexOf(CR, at + 1)) {
      const tail = bytes.subarray(at)
      if (tail.equals(this.#delimiter.subarray(0, tail.length))) return tail.length
    }
    return 0
  }

  #give(bytes: Buffer, to: "preamble" | "body"): void {
    if (bytes.length === 0) return
    if (to === "body") {
      this.#events.push({ _tag: "bytes", bytes })
      return
    }
    this.#skipped += bytes.length
    if (this.#skipped > MAX_PREAMBLE_BYTES) {
      this.#failure = `the form's boundary did not come within ${MAX_PREAMBLE_BYTES} bytes: is it the one that Content-Type names?`
    }
  }

  #boundary(bytes: Buffer): number | undefined {
    if (bytes[0] === DASH) {
      if (bytes.length < 2) return undefined
      return bytes[1] === DASH ? this.#enter("done", 2) : this.#resume()
    }
    let at = 0
    while (at < MAX_PADDING_BYTES && (bytes[at] === SPACE || bytes[at] === TAB)) at++
    if (at === bytes.length || (bytes[at] === CR && at + 1 === bytes.length)) return undefined
    // The line end stays: it is the first of the two that end a head without lines.
    return bytes[at] === CR && bytes[at + 1] === LF ? this.#enter("head", at) : this.#resume()
  }

  #enter(state: "head" | "done", taken: number): number {
    if (this.#before === "body") this.#events.push({ _tag: "end" })
    this.#state = state
    return taken
  }

  /** It was no boundary: the content goes on. */
  #resume(): number {
    this.#state = this.#before
    this.#give(this.#delimiter, this.#before)
    return 0
  }

  #head(bytes: Buffer): number | undefined {
    const end = bytes.indexOf(HEAD_END)
    if (end > MAX_HEAD_BYTES || (end < 0 && bytes.length > MAX_HEAD_BYTES)) {
      this.#failure = `a part's headers are longer than ${MAX_HEAD_BYTES} bytes`
      return undefined
    }
    if (end < 0) return undefined
    const lines = decoded(() => utf8.decode(bytes.subarray(Math.min(end, LINE_END.length), end)))
    const head = lines === undefined ? undefined : parseHead(lines)
    if (head === undefined) {
      this.#failure =
        lines === undefined ? "a part's headers are not UTF-8" : "a part has no Content-Disposition that names it once"
      return undefined
    }
    this.#events.push({ _tag: "begin", head })
    this.#state = "body"
    return end + HEAD_END.length
  }
}
