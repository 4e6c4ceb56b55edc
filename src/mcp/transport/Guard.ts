import { isLoopback } from "./Loopback.ts"
import { refusal } from "./Messages.ts"

interface Rules {
  /** Origins of browsers that may call, or `*`. */
  readonly origins: ReadonlyArray<string>
  /** The service's own address, as callers know it. */
  readonly address: string
  /** True when only this machine reaches the service: then every Host but its own is a rebound name. */
  readonly local: boolean
}

const hostOf = (authority: string): string => authority.replace(/:\d+$/, "").toLowerCase()

/**
 * Refuses what a page of somebody else's makes a browser send (DNS rebinding, as MCP's transport demands):
 * an Origin that is neither the service's own nor a configured one, and on a loopback address a Host that
 * names another machine.
 */
export const guard = ({ origins, address, local }: Rules) => {
  const own = new URL(address)
  /** The Hosts that were right: a handful, as each leads here. */
  const known = new Set<string>()
  const isOwnHost = (host: string) => {
    if (known.has(host)) return true
    const isOwn = isLoopback(hostOf(host)) || hostOf(host) === own.hostname
    if (isOwn && known.size < 100) known.add(host)
    return isOwn
  }
  const isOwnOrigin = (origin: string) =>
    URL.canParse(origin) && (origin === own.origin || (local && isLoopback(new URL(origin).hostname)))

  return ({ headers }: Request): Response | undefined => {
    const origin = headers.get("origin")
    if (origin !== null && !origins.includes("*") && !origins.includes(origin) && !isOwnOrigin(origin))
      return refusal(403, -32000, "Forbidden: this Origin may not call (CORS_ORIGINS names those that may)")
    const host = headers.get("host")
    return local && host !== null && !isOwnHost(host)
      ? refusal(403, -32000, "Forbidden: this Host is not the service's (PUBLIC_URL names it)")
      : undefined
  }
}
