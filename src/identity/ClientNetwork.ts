import ipaddr from "ipaddr.js"

/** Written forms that were looked at before; parsing costs more than all of a limit. */
const known = new Map<string, string>()
const CAPACITY = 10_000

const parsed = (address: string): string => {
  if (!ipaddr.isValid(address)) return address.slice(0, 64)
  const one = ipaddr.process(address)
  if (one.kind() === "ipv4") return one.toString()
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${one.toString()}/64`).toString()}/64`
}

/**
 * Whom an address stands for when it is limited: an IPv4 address itself, mapped into IPv6 or not, and of
 * IPv6 its /64, for that is what one customer gets and may choose from.
 */
export const clientNetwork = (address: string): string => {
  const found = known.get(address)
  if (found !== undefined) return found
  const network = parsed(address)
  if (known.size >= CAPACITY) known.clear()
  known.set(address, network)
  return network
}
