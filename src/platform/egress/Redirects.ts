import type { Outgoing } from "./Exchange.ts"
import { Refused } from "./Guard.ts"

const statuses = new Set([301, 302, 303, 307, 308])

/** What another origin may be told; anything else could be a credential. */
const harmless = new Set(["accept", "accept-encoding", "accept-language", "user-agent"])

/** Where an answer leads to; undefined when it is the last one. */
export const target = (from: URL, { status, headers }: Response): URL | undefined => {
  const location = headers.get("location")
  if (!statuses.has(status) || location === null) return undefined
  if (!URL.canParse(location, from)) throw new Refused("it leads to no address")
  return new URL(location, from)
}

/**
 * The request that follows a redirect (RFC 9110, 15.4): as a GET without body where the status says
 * so. Another origin gets neither headers that could be credentials nor a body.
 */
export const followed = ({ url, method, headers, body }: Outgoing, to: URL, status: number): Outgoing => {
  if (url.protocol === "https:" && to.protocol !== "https:") throw new Refused("it leads from https to http")
  const becomesGet = status === 303 ? method !== "HEAD" : (status === 301 || status === 302) && method === "POST"
  const kept = new Headers(headers)
  if (becomesGet) for (const name of ["content-type", "content-encoding", "content-language"]) kept.delete(name)
  if (url.origin !== to.origin) {
    if (body !== undefined && !becomesGet) throw new Refused("it leads to another origin, which would get the body")
    for (const name of [...kept.keys()]) if (!harmless.has(name)) kept.delete(name)
  }
  return becomesGet
    ? { url: to, method: "GET", headers: kept, body: undefined }
    : { url: to, method, headers: kept, body }
}
