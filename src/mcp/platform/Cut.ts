import { Predicate } from "effect"

/** Text that is longer than so many characters, with how much of it is missing. */
export const cutText = (text: string, max: number): string =>
  text.length <= max ? text : `${text.slice(0, max).toWellFormed()}… [cut: ${text.length - max} more characters]`

/** In a list, what is said of one item leaves room for the others. */
export const shortDescription = (text: string): string => cutText(text, 1000)

/** A value whose texts are cut, however deep they stand. Nothing else of it changes. */
export const cutTexts = <A>(value: A, max: number): A => {
  const cut = (member: unknown): unknown => {
    if (Predicate.isString(member)) return cutText(member, max)
    if (Array.isArray(member)) return member.map(cut)
    if (!Predicate.isRecord(member)) return member
    return Object.fromEntries(Object.entries(member).map(([name, inner]) => [name, cut(inner)]))
  }
  // The same shape, with other texts in it.
  return cut(value) as A
}

/** A member that is longer than so many characters of JSON, as a note that says so; any other as it is. */
export const orNote = <A>(member: A, max: number, note: (size: number) => A): A => {
  const size = JSON.stringify(member)?.length ?? 0
  return size <= max ? member : note(size)
}

const lengths = [2000, 400, 80]

/**
 * The longest form of a value that is at most `budget` characters of JSON: whole, with cut texts, or in the end
 * what `bare` leaves of it.
 */
export const fitting = <A>(value: A, budget: number, bare: (value: A, size: number) => A): A => {
  const whole = JSON.stringify(value)
  const first = whole.length <= Math.min(budget, lengths[0] ?? 0) ? value : cutTexts(value, lengths[0] ?? 0)
  if (JSON.stringify(first).length <= budget) return first
  const cut = lengths.slice(1).map((max) => cutTexts(value, max))
  return cut.find((shorter) => JSON.stringify(shorter).length <= budget) ?? bare(value, whole.length)
}

/** Takes items one after the other until they are together so many characters of JSON; always takes one. */
export class Window<A> {
  readonly items: Array<A> = []
  /** The place of the first item that there was no room for. */
  next: number | null = null
  private chars = 0
  private readonly max_chars: number
  private readonly bare: (value: A, size: number) => A

  constructor(max_chars: number, bare: (value: A, size: number) => A) {
    this.max_chars = max_chars
    this.bare = bare
  }

  /** False: there is no room for it, nor for any after it. */
  add(item: A, place: number): boolean {
    const shown = fitting(item, Math.floor(this.max_chars / 2), this.bare)
    const size = JSON.stringify(shown).length + 1
    if (this.items.length > 0 && this.chars + size > this.max_chars) {
      this.next = place
      return false
    }
    this.items.push(shown)
    this.chars += size
    return true
  }
}
