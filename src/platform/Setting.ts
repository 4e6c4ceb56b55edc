import { Config, ConfigError, Duration, Either, Redacted } from "effect"

/** What the documentation, `doctor` and the unknown-variable warning know of one variable. */
export interface SettingDoc {
  readonly name: string
  readonly fallback: string
  readonly description: string
  readonly secret: boolean
}

const docs: Array<SettingDoc> = []

/** Every variable that was declared, in order of declaration. */
export const declared = (): ReadonlyArray<SettingDoc> => docs

/** Declares a variable: its name, its reader, what stands in for it when it is absent, and what it means. */
export const setting = <A>(
  name: string,
  read: (name: string) => Config.Config<A>,
  options: {
    readonly fallback?: NoInfer<A>
    readonly shown: string
    readonly description: string
    readonly alias?: string
  }
): Config.Config<A> => {
  docs.push({ name, fallback: options.shown, description: options.description, secret: false })
  const config = options.alias === undefined ? read(name) : read(name).pipe(absentThen(read(options.alias)))
  return options.fallback === undefined ? config : Config.withDefault(config, options.fallback)
}

/** Declares a variable that may be absent. */
export const optional = <A>(
  name: string,
  read: (name: string) => Config.Config<A>,
  options: { readonly shown: string; readonly description: string }
): Config.Config<A | undefined> => {
  docs.push({ name, fallback: options.shown, description: options.description, secret: false })
  return Config.withDefault(read(name), undefined)
}

/** Declares a secret; `<name>_FILE` may hold the path of a mounted file instead (see `Settings`). */
export const secret = (
  name: string,
  options: { readonly shown: string; readonly description: string }
): Config.Config<Redacted.Redacted | undefined> => {
  docs.push({ name, fallback: options.shown, description: options.description, secret: true })
  return Config.withDefault(Config.redacted(name), undefined)
}

/** A secret of a certain form. What is wrong with it is told without it. */
export const decoded = <A>(
  config: Config.Config<Redacted.Redacted | undefined>,
  name: string,
  expected: string,
  parse: (text: string) => A | undefined
): Config.Config<A | undefined> =>
  Config.mapOrFail(config, (given) => {
    if (given === undefined) return Either.right(undefined)
    const value = parse(Redacted.value(given))
    return value === undefined
      ? Either.left(ConfigError.InvalidData([name], `expected ${expected}`))
      : Either.right(value)
  })

const absentThen =
  <A>(other: Config.Config<A>) =>
  (self: Config.Config<A>): Config.Config<A> =>
    Config.orElseIf(self, { if: ConfigError.isMissingDataOnly, orElse: () => other })

const units: Record<string, number> = {
  "": 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 1024,
  MIB: 1024 ** 2,
  GIB: 1024 ** 3,
  TIB: 1024 ** 4
}

const checked = <A>(name: string, expected: string, parse: (text: string) => A | undefined): Config.Config<A> =>
  Config.mapOrFail(Config.nonEmptyString(name), (text) => {
    const value = parse(text.trim())
    return value === undefined
      ? Either.left(ConfigError.InvalidData([name], `expected ${expected}, got ${JSON.stringify(text)}`))
      : Either.right(value)
  })

/** A number of bytes, plain or with a unit: `1048576`, `10 GiB`, `500MB`. */
export const bytes = (name: string): Config.Config<number> =>
  checked(name, "a size such as 10 GiB", (text) => {
    const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text)
    const unit = match === null ? undefined : units[(match[2] ?? "").toUpperCase()]
    return match === null || unit === undefined ? undefined : Math.floor(Number(match[1]) * unit)
  })

/** A time span: `30 s`, `5 min`, `24 h`, `500 ms`. */
export const duration = (name: string): Config.Config<Duration.Duration> =>
  checked(name, "a time span such as 30 s or 24 h", (text) => {
    const match = /^(\d+(?:\.\d+)?)\s*(ms|s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)$/i.exec(text)
    if (match === null) return undefined
    const amount = Number(match[1])
    const unit = (match[2] ?? "").toLowerCase()
    if (unit === "ms") return Duration.millis(amount)
    if (unit.startsWith("s")) return Duration.seconds(amount)
    if (unit.startsWith("m")) return Duration.minutes(amount)
    return unit.startsWith("h") ? Duration.hours(amount) : Duration.days(amount)
  })

/** A whole number within bounds, both inclusive. */
export const integer =
  (min: number, max: number) =>
  (name: string): Config.Config<number> =>
    checked(name, `a whole number from ${min} to ${max}`, (text) => {
      const value = Number(text)
      return /^\d+$/.test(text) && value >= min && value <= max ? value : undefined
    })

export const boolean = (name: string): Config.Config<boolean> =>
  checked(name, "true or false", (text) =>
    /^(true|1|yes|on)$/i.test(text) ? true : /^(false|0|no|off)$/i.test(text) ? false : undefined
  )

/** One of the given words, in any case. */
export const oneOf =
  <const A extends string>(...words: ReadonlyArray<A>) =>
  (name: string): Config.Config<A> =>
    checked(name, `one of ${words.join(", ")}`, (text) =>
      words.find((word) => word.toLowerCase() === text.toLowerCase())
    )

/** A comma-separated list of some of these words. */
export const someOf =
  <const A extends string>(...words: ReadonlyArray<A>) =>
  (name: string): Config.Config<ReadonlyArray<A>> =>
    checked(name, `a comma-separated list of ${words.join(", ")}`, (text) => {
      const named = text.split(",").map((item) => item.trim().toLowerCase())
      const known = words.filter((word) => named.includes(word))
      return known.length === new Set(named).size ? known : undefined
    })

/** A comma-separated list; an empty one when the text is blank. */
export const list = (name: string): Config.Config<ReadonlyArray<string>> =>
  checked(name, "a comma-separated list", (text) =>
    text
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== "")
  )

export const url =
  (...protocols: ReadonlyArray<string>) =>
  (name: string): Config.Config<string> =>
    checked(name, `a URL that starts with ${protocols.join(" or ")}`, (text) =>
      URL.canParse(text) && protocols.includes(`${new URL(text).protocol}//`) ? text : undefined
    )

const compiled = (pattern: string): RegExp | undefined => {
  try {
    const regex = new RegExp(pattern, "g")
    // One that matches nothing at all matches everywhere.
    return new RegExp(pattern).test("") ? undefined : regex
  } catch {
    return undefined
  }
}

const patternList = (text: string): ReadonlyArray<string> => {
  try {
    const list: unknown = JSON.parse(text)
    if (Array.isArray(list) && list.every((item) => typeof item === "string")) return list
  } catch {
    // No JSON: then it is a pattern per line.
  }
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
}

/** Regular expressions, one per line or as a JSON array of strings; none may match the empty text. */
export const patterns = (name: string): Config.Config<ReadonlyArray<RegExp>> =>
  checked(name, "regular expressions that do not match the empty text, one per line or as a JSON array", (text) => {
    const regexes = patternList(text).map(compiled)
    return regexes.every((regex) => regex !== undefined) ? regexes : undefined
  })
