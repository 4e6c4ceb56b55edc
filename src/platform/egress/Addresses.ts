import { isIP } from "node:net"
import ip from "ipaddr.js"

const globalUnicast = ip.IPv6.parseCIDR("2000::/3")
/** RFC 6052: what a resolver behind a NAT64 makes of an IPv4 address. */
const nat64 = ip.IPv6.parseCIDR("64:ff9b::/96")

/** No zone: it names an interface of this machine. */
const isAddress = (text: string) => isIP(text) !== 0 && !text.includes("%")

/** The IPv4 address in the last 32 bits. */
const embedded = (address: ip.IPv6) => new ip.IPv4(address.toByteArray().slice(12))

/**
 * Whether an address is one that everybody on the internet has in common: not private, loopback,
 * link-local, multicast, reserved, or one of those in an IPv6 form. Anything else than an address is not.
 */
export const isPublic = (text: string): boolean => {
  if (!isAddress(text)) return false
  const address = ip.parse(text)
  if (address instanceof ip.IPv4) return address.range() === "unicast"
  if (address.isIPv4MappedAddress() || address.match(nat64)) return embedded(address).range() === "unicast"
  return address.match(globalUnicast) && address.range() === "unicast"
}

const nobodys = new Set(["linkLocal", "unspecified", "multicast", "broadcast"])

/**
 * Whether an address is one that no name should lead to, wherever the name may lead: link-local ones,
 * where clouds keep the credentials of their machines, and those that are no single machine's.
 */
export const isNobodys = (text: string): boolean => {
  if (!isAddress(text)) return true
  const address = ip.parse(text)
  if (address instanceof ip.IPv4) return nobodys.has(address.range())
  const inner = address.isIPv4MappedAddress() || address.match(nat64) ? embedded(address) : address
  return nobodys.has(inner.range())
}

/** The address that a URL's host is, without brackets; undefined for a name. */
export const literal = (hostname: string): string | undefined => {
  const bare = hostname.replace(/^\[(.*)\]$/, "$1")
  return isAddress(bare) ? bare : undefined
}
