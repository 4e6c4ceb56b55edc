import { isNobodys, isPublic, literal } from "./Addresses.ts"
import { allowance, hostOf, isUsualPort } from "./HostRules.ts"

export interface GuardOptions {
  /** Hosts that users may choose. */
  readonly allowed_hosts: ReadonlyArray<string>
  /** Hosts that the operator configured for this purpose. */
  readonly operator_hosts: ReadonlyArray<string>
  readonly any_public_host: boolean
  /** Refuses `http:` to hosts that nobody named. */
  readonly https_only: boolean
}

/** Every address of a name. */
export type Resolver = (host: string) => Promise<ReadonlyArray<string>>

/** Why a request is not sent. */
export class Refused extends Error {}

/** A URL as it may be told: no credentials, no query. */
export const shown = (url: URL): string => `${url.protocol}//${url.host}${url.pathname}`

/** Whether the host is allowed, and whether it was named, so that its addresses need not be public. */
const trustOf = (url: URL, options: GuardOptions): { readonly named: boolean } => {
  const named = allowance(url, options.operator_hosts) === "named" || allowance(url, options.allowed_hosts) === "named"
  if (named) return { named }
  if (allowance(url, options.operator_hosts) === "suffix" || allowance(url, options.allowed_hosts) === "suffix") {
    return { named }
  }
  if (!options.any_public_host) throw new Refused(`add ${url.host} to ALLOWED_EGRESS_HOSTS to allow it`)
  if (!isUsualPort(url)) throw new Refused(`port ${url.port} is another protocol's`)
  return { named }
}

/**
 * Whether a request may go to a URL, and the addresses that it may be sent to: none but these, as a
 * name can lead elsewhere the next time it is asked for. Throws {@link Refused}.
 */
export const check = async (url: URL, options: GuardOptions, resolve: Resolver): Promise<ReadonlyArray<string>> => {
  if (url.protocol !== "http:" && url.protocol !== "https:") throw new Refused("only http and https are spoken")
  if (url.username !== "" || url.password !== "") throw new Refused("credentials do not belong into an address")
  const host = hostOf(url)
  const { named } = trustOf(url, options)
  if (url.protocol === "http:" && options.https_only && !named) throw new Refused("https is needed")
  const itself = literal(host)
  const addresses = itself === undefined ? await resolve(host) : [itself]
  for (const address of addresses) {
    if (!named && !isPublic(address)) throw new Refused(`${host} is at ${address}, which is not a public address`)
    if (itself === undefined && isNobodys(address)) throw new Refused(`${host} is at ${address}, which is no host's`)
  }
  return addresses
}
