/** What is kept: elements of one array, keys of one object, values in all, bytes of a string, levels. */
const MAX_ITEMS = 32
const MAX_KEYS = 256
const MAX_VALUES = 2048
const MAX_STRING_BYTES = 256
const MAX_LEVELS = 6

/** The only keys whose value is looked into: the rules of detection (FormatRules.ts) need no other. */
const lookInto: ReadonlySet<string> = new Set([
  "content",
  "history",
  "log",
  "messages",
  "steps",
  "traceEvents",
  "traj",
  "trajectory"
])

interface ArrayFrame {
  readonly items: Array<unknown>
}

interface ObjectFrame {
  readonly members: Record<string, unknown>
  size: number
  key: string | undefined
}

const unescaped = (text: string): string => {
  try {
    return String(JSON.parse(`"${text}"`))
  } catch {
    return text
  }
}

/**
 * Builds a small likeness of a JSON document from the tokens of its upper levels: the first elements
 * of arrays, the keys of objects, strings cut short, null for numbers and booleans, nothing below
 * keys that detection does not look into. The keys of the outermost object are kept to the end, so
 * that a huge first member hides none of the later ones.
 */
export class JsonSample {
  value: unknown
  readonly #frames: Array<ArrayFrame | ObjectFrame> = []
  #values = 0
  /** The current element or member has its value; the rest of a number or a word adds nothing. */
  #valued = false
  readonly #text = Buffer.alloc(MAX_STRING_BYTES)
  #textLength = 0

  /** The containers being sampled. Tokens at a greater depth are not wanted. */
  get depth(): number {
    return this.#frames.length
  }

  open(kind: "array" | "object"): void {
    const parent = this.#frames.at(-1)
    const wanted = parent === undefined || "items" in parent || lookInto.has(parent.key ?? "")
    // Without a prototype "__proto__" is a key like any other.
    const members: Record<string, unknown> = Object.create(null)
    const items: Array<unknown> = []
    this.#put(kind === "array" ? items : members)
    if (!wanted || this.#frames.length >= MAX_LEVELS) return
    this.#frames.push(kind === "array" ? { items } : { members, size: 0, key: undefined })
    this.#valued = false
  }

  close(): void {
    this.#frames.pop()
    this.#valued = true
  }

  comma(): void {
    const frame = this.#frames.at(-1)
    if (frame === undefined) return
    this.#valued = false
    const full = "items" in frame ? frame.items.length >= MAX_ITEMS : frame.size >= MAX_KEYS
    const spent = this.#values >= MAX_VALUES && this.#frames.length > 1
    if (full || spent) this.#frames.pop()
    else if ("members" in frame) frame.key = undefined
  }

  /** A byte of a number, `true`, `false` or `null`. */
  scalar(): void {
    if (!this.#valued) this.#put(null)
  }

  /** Bytes of the string that {@link endString} will end. */
  text(bytes: Buffer, from: number, to: number): void {
    this.#textLength += bytes.copy(this.#text, this.#textLength, from, to)
  }

  endString(): void {
    const raw = this.#text.toString("utf8", 0, this.#textLength)
    this.#textLength = 0
    const text = raw.includes("\\") ? unescaped(raw) : raw
    const frame = this.#frames.at(-1)
    if (frame !== undefined && "members" in frame && frame.key === undefined) frame.key = text
    else if (!this.#valued) this.#put(text)
  }

  #put(value: unknown): void {
    const frame = this.#frames.at(-1)
    this.#valued = true
    this.#values++
    if (frame === undefined) this.value = value
    else if ("items" in frame) frame.items.push(value)
    else if (frame.key !== undefined) {
      frame.members[frame.key] = value
      frame.size++
    }
  }
}
