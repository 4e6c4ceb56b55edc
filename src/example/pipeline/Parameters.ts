import type { ActionSurface, ParameterSurface } from "../../domain/example/Classification.ts"
import type { Episode } from "../../domain/example/Episode.ts"
import { REDACTED } from "../../session/Secrets.ts"
import { coerce, parsed } from "./Coerce.ts"
import { tellingRequests, urlParts } from "./Evidence.ts"
import { coverage, isVerb, tokens } from "./Tokens.ts"

/** A value that was recorded, and the words that it goes by. */
interface Candidate {
  readonly words: ReadonlyArray<string>
  readonly value: unknown
  /** How far its source is to be trusted, 0 to 1. */
  readonly trust: number
}

/** Values under such names are never taken out of a recording. */
const secret =
  /passw|passphrase|secret|token|api.?key|authori[sz]|credential|\botp\b|\bpin\b|cvv|cvc|card.?number|\bssn\b/i

const fieldCandidate = ({ target, value }: Episode): ReadonlyArray<Candidate> => {
  if (value === null || value.includes(REDACTED) || target === null || target.input_type === "password") return []
  const label = [target.name, target.text === value ? undefined : target.text]
    .filter((text) => text !== undefined)
    .join(" ")
  if (secret.test(`${label} ${target.selector ?? ""}`)) return []
  const named = tokens(label)
  const selected = tokens(target.selector?.replaceAll(/[>:].*?\s/g, " ") ?? "")
  return [
    { words: named, value, trust: 1 },
    { words: selected, value, trust: named.length === 0 ? 0.95 : 0.8 }
  ].filter(({ words }) => words.length > 0)
}

const maxBody = 64 * 1024
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const members = (value: Readonly<Record<string, unknown>>, depth: number): ReadonlyArray<Candidate> =>
  Object.entries(value).flatMap(([key, member]) => {
    if (secret.test(key) || (typeof member === "string" && member.includes(REDACTED))) return []
    const own = [{ words: tokens(key), value: member, trust: depth === 0 ? 0.95 : 0.85 }]
    return isObject(member) && depth < 2 ? [...own, ...members(member, depth + 1)] : own
  })

/** The keys of a request's JSON or form body. */
const bodyCandidates = (body: string | null): ReadonlyArray<Candidate> => {
  if (body === null || body.length > maxBody) return []
  const json = parsed(body)
  if (isObject(json)) return members(json, 0)
  if (!/^[^=&\s{}<>]+=/.test(body)) return []
  return members(Object.fromEntries(new URLSearchParams(body)), 0)
}

const identifier = "identifier"

/** Query parameters, and the path's ids: what follows a collection's name. */
const urlCandidates = (url: string, trust: number): ReadonlyArray<Candidate> => {
  const { path, query } = urlParts(url)
  const segments = path.split("/").filter((segment) => segment !== "")
  const ids = segments.flatMap((segment, at) => {
    const before = segments[at - 1]
    if (before === undefined || !/\d/.test(segment) || /^v\d+$/i.test(segment)) return []
    return [{ words: [...tokens(before), identifier], value: decoded(segment), trust: trust * 0.95 }]
  })
  const asked = [...query].flatMap(([key, value]) =>
    secret.test(key) || value.includes(REDACTED)
      ? []
      : [{ words: /^(q|s)$/i.test(key) ? ["search"] : tokens(key), value, trust }]
  )
  return [...asked, ...ids]
}

const decoded = (segment: string): string => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

/** What a label says besides the words of the action: `Milk` in `Add Milk to cart`. */
const leftOver = (action: ActionSurface, trigger: Episode): string | undefined => {
  const label = trigger.target?.name ?? trigger.target?.text
  if (label === undefined || label.length > 200 || trigger.type === "change") return undefined
  const own = new Set(tokens(`${action.name} ${action.description}`))
  const words = label.trim().split(/\s+/)
  const says = words.map((word) => tokens(word).some((token) => !own.has(token) && !isVerb(token)))
  const first = says.indexOf(true)
  const last = says.lastIndexOf(true)
  if (first === -1 || !says.some((other) => !other)) return undefined
  return words.slice(first, last + 1).join(" ")
}

/** How well a recorded value's words fit a parameter, 0 to 1. */
const fitness = (parameter: ParameterSurface, words: ReadonlyArray<string>, nouns: ReadonlySet<string>): number => {
  const given = new Set(words)
  const named = tokens(parameter.name)
  // `product_id` in an action about products is also called `id`, and the other way round.
  const core = named.filter((word) => !nouns.has(word))
  const whole = coverage(named, given)
  const extra = words.filter((word) => !named.includes(word) && !nouns.has(word)).length
  const own = Math.max(whole, core.length > 0 ? coverage(core, given) * 0.9 : 0)
  const described = coverage(words, new Set(tokens(parameter.description))) * (words.length > 1 ? 0.7 : 0.6)
  return Math.max(own - Math.min(0.3, 0.08 * extra), described)
}

const enough = 0.5

/** What was recorded of an action's parameters, by their names; what is not in the recording is left out. */
export const fill = (
  action: ActionSurface,
  fields: ReadonlyArray<Episode>,
  trigger: Episode
): Readonly<Record<string, unknown>> => {
  const nouns = new Set(tokens(action.name).filter((word) => !isVerb(word)))
  const episodes = [...fields, trigger]
  const requests = episodes.flatMap(({ requests }) => tellingRequests(requests))
  const candidates = [
    ...episodes.toReversed().flatMap(fieldCandidate),
    ...requests.flatMap(({ body }) => bodyCandidates(body)),
    ...requests.flatMap(({ url }) => urlCandidates(url, 0.85)),
    ...(trigger.url === null ? [] : urlCandidates(trigger.url, 0.8))
  ]
  const fits = action.parameters.flatMap((parameter, at) =>
    candidates.flatMap((candidate, order) => {
      const value = coerce(candidate.value, parameter.type)
      const score = fitness(parameter, candidate.words, nouns) * candidate.trust
      return value === undefined || score < enough ? [] : [{ parameter, at, candidate, order, value, score }]
    })
  )
  const filled = new Map<string, unknown>()
  const used = new Set<unknown>()
  for (const { parameter, candidate, value } of fits.sort(
    (a, b) => b.score - a.score || a.at - b.at || a.order - b.order
  )) {
    if (filled.has(parameter.name) || used.has(candidate)) continue
    filled.set(parameter.name, value)
    used.add(candidate)
  }
  const open = action.parameters.filter(
    ({ name, type, required }) => required && type === "STRING" && !filled.has(name)
  )
  const [only] = open
  const rest = open.length === 1 ? leftOver(action, trigger) : undefined
  if (only !== undefined && rest !== undefined && !/\bid\b|_id$/i.test(only.name)) filled.set(only.name, rest)
  return Object.fromEntries(
    action.parameters.flatMap(({ name }) => (filled.has(name) ? [[name, filled.get(name)] as const] : []))
  )
}
