import ipaddr from "ipaddr.js"

/** True for `localhost` and its subdomains, and for addresses of this machine alone. */
export const isLoopback = (host: string): boolean => {
  const name = host.replace(/^\[|\]$/g, "").toLowerCase()
  if (name === "localhost" || name.endsWith(".localhost")) return true
  return ipaddr.isValid(name) && ipaddr.process(name).range() === "loopback"
}
