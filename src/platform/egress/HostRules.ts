/** How far a host is trusted: by name, as one of many below a suffix, or not at all. */
export type Allowance = "named" | "suffix" | undefined

/** A host as it is compared: lower case, no dot at its end. */
export const hostOf = ({ hostname }: URL): string => hostname.toLowerCase().replace(/\.$/, "")

export const portOf = ({ port, protocol }: URL): number =>
  port === "" ? (protocol === "https:" ? 443 : 80) : Number(port)

const entryForm = /^(\*\.)?(\[[0-9a-f:.]+\]|[^\s:/[\]@*?#]+)(?::(\d{1,5}))?$/i

interface Entry {
  readonly suffix: boolean
  readonly host: string
  readonly port: number | undefined
}

/** `host`, `*.suffix`, either with `:port`; an IPv6 address in brackets. Undefined for anything else. */
const entryOf = (text: string): Entry | undefined => {
  const [, star, host = "", port] = entryForm.exec(text) ?? []
  // The same spelling that addresses get: punycode, dotted numbers.
  const url = host === "" ? undefined : `http://${host}/`
  if (url === undefined || !URL.canParse(url)) return undefined
  return { suffix: star !== undefined, host: hostOf(new URL(url)), port: port === undefined ? undefined : Number(port) }
}

/** Whether the text is an entry of a list of hosts. */
export const isEntry = (text: string): boolean => entryOf(text) !== undefined

/**
 * Ports of the web, and those that no well-known protocol has for itself: a request to another one
 * (22, 25, 53…) may be read as a command by what listens there.
 */
const isUsual = (port: number) => port === 80 || port === 443 || port >= 1024

const matches = ({ suffix, host, port }: Entry, url: URL): boolean =>
  (suffix ? hostOf(url).endsWith(`.${host}`) : hostOf(url) === host) &&
  (port === undefined ? isUsual(portOf(url)) : portOf(url) === port)

/** What the entries say of a URL's host and port. */
export const allowance = (url: URL, entries: ReadonlyArray<string>): Allowance => {
  const found = entries.map(entryOf).filter((entry) => entry !== undefined && matches(entry, url))
  if (found.length === 0) return undefined
  return found.some((entry) => entry?.suffix === false) ? "named" : "suffix"
}

/** Whether any host at this port may be asked for that is not named with it. */
export const isUsualPort = (url: URL): boolean => isUsual(portOf(url))
