export type Members = Readonly<Record<string, unknown>>

/** The years 1 to 9999: what ISO 8601 writes with four digits. */
const FIRST_MS = -62_135_596_800_000
const LAST_MS = 253_402_300_799_999

const canonical = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const isoTime = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?) ?(Z|[+-]\d\d:?\d\d)?)?$/i

/** Milliseconds since 1970 as ISO 8601 in UTC; null where they are no such time. */
export const timeOfMs = (ms: number): string | null =>
  ms >= FIRST_MS && ms <= LAST_MS ? new Date(ms).toISOString() : null

/** ISO 8601 (UTC where no zone is given) or milliseconds since 1970, as ISO 8601 in UTC; null for all else. */
export const timeOf = (value: unknown): string | null => {
  if (typeof value === "number") return timeOfMs(value)
  if (typeof value !== "string") return null
  if (canonical.test(value)) return Number.isNaN(Date.parse(value)) ? null : value
  const match = isoTime.exec(value)
  if (match === null) return null
  const [, day = "", time = "00:00", zone = "Z"] = match
  const seconds = time.length === 5 ? `${time}:00` : time.replace(",", ".")
  return timeOfMs(Date.parse(`${day}T${seconds}${zone.toUpperCase()}`))
}

export const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null)

export const numberOf = (value: unknown): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null

export const isMembers = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Any value as text: strings as they are, nothing as null, all else as JSON. */
export const shown = (value: unknown): string | null => {
  if (value === undefined || value === null) return null
  return typeof value === "string" ? value : (JSON.stringify(value) ?? null)
}

/** The members that are not among the known ones; undefined where there are none. */
export const extraOf = (members: Members, known: ReadonlySet<string>): Members | undefined => {
  let extra: Record<string, unknown> | undefined
  for (const key in members) {
    if (known.has(key)) continue
    // Without a prototype "__proto__" is a key like any other.
    extra ??= Object.create(null) as Record<string, unknown>
    extra[key] = members[key]
  }
  return extra
}

/** {@link extraOf} as `{ extra }`, ready to be spread; `{}` where there is nothing. */
export const others = (members: Members, known: ReadonlySet<string>): { readonly extra?: Members } =>
  withExtra(extraOf(members, known))

/** `{ extra }`, ready to be spread; `{}` where there is nothing. */
export const withExtra = (extra: Members | undefined): { readonly extra?: Members } =>
  extra === undefined ? {} : { extra }

/** The value of JSON text that begins like an object or an array; undefined for all else. */
export const parsed = (text: string): unknown => {
  const first = /\S/.exec(text)?.[0]
  if (first !== "{" && first !== "[") return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
