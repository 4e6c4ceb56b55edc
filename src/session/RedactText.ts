import { isCardNumber, mayNameSecret, REDACTED, type RedactionKind, secretKind } from "./Secrets.ts"

export type Count = (kind: RedactionKind) => void

const QUOTE = 0x22
const BACKSLASH = 0x5c

const digitRun = /(?<!\d)(?<!\d\.)\d(?:(?:[ +-]|%20)?\d){11,}/g
const MAX_CARD_DIGITS = 19
const manyDigits = /\d(?:(?:[ +-]|%20)?\d){11}/
const jsonMember = /(\\*)"([^"\\]{2,200})\1"\s*:\s*(?:\1"|(-?\d[\d.eE+-]*))/g
const formPair = /(^|[?&;#\s"'])([^=&?;#\s"'<>{}]{2,200})=([^&\s#"'<>;]+)/g
const headerLine = /\b((?:proxy-)?authorization|set-cookie|cookie|x-api-key)(["']?\s*:\s*)([^\r\n"'\\]+)/gi
const bearer = /\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi
const userInfo = /(:\/\/[^\s/:@"']{0,200}:)([^\s/@"']{1,200})@/g

/** The index past the quote that ends a JSON string which is itself escaped `level` backslashes deep; or the text's end. */
const stringEnd = (text: string, from: number, level: number): number => {
  for (let quote = text.indexOf('"', from); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let slashes = 0
    while (quote - slashes > from && text.charCodeAt(quote - slashes - 1) === BACKSLASH) slashes++
    // A quote inside the string has the escape of its own level more.
    if (slashes % (2 * (level + 1)) === level) return quote - level
  }
  return text.length
}

/** Values of JSON members with a secret's name, in JSON text that may be cut off, or text within text. */
const redactJson = (text: string, count: Count): string => {
  let out = ""
  let done = 0
  jsonMember.lastIndex = 0
  for (let match = jsonMember.exec(text); match !== null; match = jsonMember.exec(text)) {
    const [whole, slashes = "", name = "", number] = match
    const kind = secretKind(name)
    const isText = text.charCodeAt(match.index + whole.length - 1) === QUOTE && number === undefined
    if (kind === undefined) {
      // The value may itself be what holds the next name.
      jsonMember.lastIndex = match.index + whole.length - (isText ? 1 + slashes.length : 0)
      continue
    }
    const start = match.index + whole.length - (number?.length ?? 0)
    const end = isText ? stringEnd(text, start, slashes.length) : match.index + whole.length
    if (end > start && text.slice(start, end) !== REDACTED) {
      count(kind)
      const quoted = isText ? REDACTED : `${slashes}"${REDACTED}${slashes}"`
      out += text.slice(done, start) + quoted
      done = end
    }
    jsonMember.lastIndex = Math.max(end, match.index + 1)
  }
  return done === 0 ? text : out + text.slice(done)
}

const named = (text: string, count: Count): string => {
  let out = text.includes('"') ? redactJson(text, count) : text
  if (out.includes("=")) {
    out = out.replaceAll(formPair, (whole: string, before: string, name: string, value: string) => {
      const kind = value === REDACTED ? undefined : secretKind(name)
      if (kind === undefined) return whole
      count(kind)
      return `${before}${name}=${REDACTED}`
    })
  }
  if (!out.includes(":")) return out
  return out.replaceAll(headerLine, (whole: string, name: string, colon: string, value: string) => {
    if (value.startsWith(REDACTED)) return whole
    count("header")
    return `${name}${colon}${REDACTED}`
  })
}

/** The cards in a run of digits, whose groups may be parted: before and after one may stand other numbers. */
const redactCards = (run: string, count: Count): string => {
  const groups = [...run.matchAll(/\d+/g)]
  let out = ""
  let done = 0
  for (let first = 0; first < groups.length; first++) {
    let digits = ""
    for (let last = first; last < groups.length && digits.length < MAX_CARD_DIGITS; last++) {
      const group = groups[last]
      digits += group?.[0] ?? ""
      if (group === undefined || !isCardNumber(digits)) continue
      count("card")
      out += run.slice(done, groups[first]?.index) + REDACTED
      done = group.index + group[0].length
      first = last
      break
    }
  }
  return done === 0 ? run : out + run.slice(done)
}

/** A text without the secrets in it: JSON members, form and query fields, header lines, cards, and the given patterns. */
export const redactText = (text: string, patterns: ReadonlyArray<RegExp>, count: Count): string => {
  let out = text
  if (text.length >= 6) {
    if (mayNameSecret(out)) {
      out = named(out, count).replaceAll(bearer, (_whole: string, scheme: string) => {
        count("header")
        return `${scheme} ${REDACTED}`
      })
    }
    if (out.includes("://") && out.includes("@")) {
      out = out.replaceAll(userInfo, (whole: string, before: string, secret: string) => {
        if (secret === REDACTED) return whole
        count("password")
        return `${before}${REDACTED}@`
      })
    }
    if (out.length >= 12 && manyDigits.test(out)) {
      out = out.replaceAll(digitRun, (run: string) => redactCards(run, count))
    }
  }
  for (const pattern of patterns) {
    out = out.replaceAll(pattern, () => {
      count("pattern")
      return REDACTED
    })
  }
  return out
}
