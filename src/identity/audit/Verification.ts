import { Either, ParseResult, Schema } from "effect"
import type { Checkpoint } from "./Checkpoint.ts"
import { leafOf } from "./Leaf.ts"
import { emptyRoot, equal, Growing } from "./Merkle.ts"

const Hex = Schema.String.pipe(Schema.pattern(/^[0-9a-f]{64}$/))
const Text = Schema.NullOr(Schema.String)
const place = { seq: Schema.Int, leaf_hash: Hex, id: Schema.String }

const Line = Schema.parseJson(
  Schema.Union(
    Schema.Struct({ ...place, missing: Schema.Literal(true) }),
    Schema.Struct({
      ...place,
      org_id: Schema.String,
      at: Schema.String,
      xid: Schema.String,
      actor: Schema.String,
      action: Schema.String,
      resource: Schema.String,
      before_digest: Text,
      after_digest: Text,
      detail: Text,
      request_id: Schema.String,
      personal_digest: Text,
      personal: Text
    })
  )
)
type Line = typeof Line.Type
type Entry = Exclude<Line, { readonly missing: true }>

const decode = Schema.decodeUnknownEither(Line)

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")

const sha256 = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex")

const named = (line: Line) =>
  "missing" in line
    ? `entry ${line.id} (seq ${line.seq})`
    : `entry ${line.id} (seq ${line.seq}: ${line.actor} ${line.action} ${line.resource} at ${line.at})`

/** What came of it: what is wrong, the first first, and what each checkpoint says. */
export interface Report {
  readonly size: number
  readonly root: Uint8Array
  /** So many of the entries are covered by a checkpoint that holds. */
  readonly covered: number
  readonly differences: ReadonlyArray<string>
  readonly checkpoints: ReadonlyArray<{ readonly checkpoint: Checkpoint; readonly holds: boolean }>
}

/** So many differences are told; the rest would say no more. */
const most = 20

/**
 * Recomputes the log from an export, line by line, and holds it against checkpoints that were kept
 * elsewhere. An entry must match the leaf that is recorded of it, and the recorded leaves the roots.
 * Where somebody changed both alike, an earlier export, or the order of the transactions, or the roots of
 * several checkpoints tell where the first difference is.
 */
export class Verification {
  readonly #checkpoints: ReadonlyArray<Checkpoint>
  readonly #results: Array<Report["checkpoints"][number]> = []
  readonly #differences: Array<string> = []
  readonly #tree = new Growing()
  #previous: Entry | undefined
  #disorder: string | undefined
  #upTo = 0
  #lost = false

  constructor(checkpoints: ReadonlyArray<Checkpoint>) {
    this.#checkpoints = checkpoints.toSorted((one, other) => one.size - other.size)
    this.#compare()
  }

  /** The next line of the export, and what stands in the same place of an earlier one. */
  line(text: string | undefined, earlier: string | undefined): void {
    const before = earlier === undefined ? undefined : Either.getOrUndefined(decode(earlier))
    if (earlier !== undefined && before === undefined) this.#differs("the earlier export cannot be read there")
    if (text === undefined) {
      if (before !== undefined) this.#differs(`${named(before)} of the earlier export was removed`)
      return
    }
    const read = decode(text)
    if (Either.isLeft(read)) {
      this.#lost = true
      const [issue] = ParseResult.ArrayFormatter.formatErrorSync(read.left)
      this.#differs(`line ${this.#tree.size + 1} of the export is no entry: ${issue?.message}`)
    } else if (!this.#lost) this.#take(read.right, before)
  }

  #differs(what: string): void {
    if (this.#differences.length < most) this.#differences.push(what)
  }

  #take(line: Line, before: Line | undefined): void {
    if (before !== undefined && before.leaf_hash !== line.leaf_hash) {
      this.#differs(`${named(before)} of the earlier export is not the one that stands there now: ${named(line)}`)
    }
    const { size } = this.#tree
    if (line.seq !== size) {
      // What follows belongs to no tree that could be computed.
      this.#lost = true
      this.#differs(
        line.seq > size
          ? `${before === undefined ? `the entry of seq ${size}` : named(before)} is missing: ${named(line)} comes next`
          : `${named(line)} stands where seq ${size} has to be`
      )
      return
    }
    if ("missing" in line) this.#differs(`${named(line)} was removed: its leaf is recorded, the entry is gone`)
    else this.#check(line)
    this.#tree.append(Buffer.from(line.leaf_hash, "hex"))
    this.#compare()
  }

  #check(entry: Entry): void {
    if (hex(leafOf(entry)) !== entry.leaf_hash) this.#differs(`${named(entry)} was changed: it does not match its leaf`)
    else if (entry.personal !== null && sha256(Buffer.from(entry.personal, "base64")) !== entry.personal_digest) {
      this.#differs(`what is personal in ${named(entry)} was changed: it does not match its digest`)
    }
    const last = this.#previous
    if (last !== undefined && last.org_id !== entry.org_id) this.#differs(`${named(entry)} is of another organization`)
    if (last !== undefined && this.#disorder === undefined && isBehind(last, entry)) {
      this.#disorder = `${named(last)} stands before ${named(entry)}, which an earlier transaction wrote`
    }
    this.#previous = entry
  }

  /** Holds the tree as it is now against the checkpoints of its size. */
  #compare(): void {
    const { size, root } = this.#tree
    for (const checkpoint of this.#checkpoints.filter((one) => one.size === size)) {
      const holds = equal(size === 0 ? emptyRoot : root, checkpoint.root)
      this.#results.push({ checkpoint, holds })
      if (holds) this.#upTo = size
      else if (this.#differences.length === 0) this.#differs(this.#somewhere(size))
    }
  }

  /** Entries and leaves agree, and lead to another root: somebody rewrote both. */
  #somewhere(size: number): string {
    const range =
      size - this.#upTo === 1 ? `that of seq ${this.#upTo}` : `one of those of seq ${this.#upTo} to ${size - 1}`
    const hint = this.#disorder === undefined ? "" : `; ${this.#disorder}`
    return `the log does not lead to the root of the checkpoint of ${size}: the first entry that differs is ${range}${hint}`
  }

  /** To be asked after the last line. */
  end(): Report {
    const { size, root } = this.#tree
    const beyond = this.#checkpoints.filter((one) => one.size > size)
    for (const checkpoint of beyond) this.#results.push({ checkpoint, holds: false })
    const [first] = beyond
    if (first !== undefined && !this.#lost) {
      this.#differs(
        `the entry of seq ${size} is missing: the export ends there, and the checkpoint covers ${first.size} entries`
      )
    }
    return { size, root, covered: this.#upTo, differences: this.#differences, checkpoints: this.#results }
  }
}

/** True when the second was written by an earlier transaction, or earlier in the same. */
const isBehind = (first: Entry, second: Entry): boolean => {
  const [one, other] = [first.xid, second.xid].map((xid) => (/^\d{1,20}$/.test(xid) ? BigInt(xid) : 0n))
  if (one === undefined || other === undefined) return false
  return other < one || (other === one && second.id < first.id)
}
