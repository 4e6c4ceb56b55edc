import ipaddr from "ipaddr.js"

type Network = readonly [ipaddr.IPv4 | ipaddr.IPv6, number]

const networkOf = (text: string): Network => {
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text)
  const one = ipaddr.process(text)
  return [one, one.kind() === "ipv4" ? 32 : 128]
}

const isWithin = (address: ipaddr.IPv4 | ipaddr.IPv6, [network, bits]: Network) =>
  address.kind() === network.kind() && address.match([network, bits] as [ipaddr.IPv4, number])

/**
 * Who calls: the address that the socket names, and behind proxies of ours the last one of
 * X-Forwarded-For that is none of them. What stands further left anybody may have written.
 * @param proxies addresses or networks that are believed
 */
export const clientAddress = (proxies: ReadonlyArray<string>) => {
  const networks = proxies.map(networkOf)
  const isTrusted = (address: string) => {
    if (!ipaddr.isValid(address)) return false
    const parsed = ipaddr.process(address)
    return networks.some((network) => isWithin(parsed, network))
  }
  return (socket: string | null, forwarded: string | undefined): string | null => {
    if (networks.length === 0 || socket === null || forwarded === undefined || !isTrusted(socket)) return socket
    let client = socket
    for (const hop of forwarded.split(",").toReversed()) {
      // Some write the port with it, or brackets about IPv6.
      const address = hop.trim().replace(/^\[([^\]]*)\](?::\d+)?$|^(\d+(?:\.\d+){3}):\d+$/, "$1$2")
      if (!ipaddr.isValid(address)) return client
      client = address
      if (!isTrusted(address)) return client
    }
    return client
  }
}
