/** One path that some callers know a resource by, and what it stands for. */
interface Alias {
  readonly from: RegExp
  readonly to: string
}

/** The whole list. The server rewrites the path before routing, so an alias cannot drift. */
const aliases: ReadonlyArray<Alias> = [
  { from: /^\/api\/v1\/(health|ready|live|openapi\.json)$/, to: "/$1" },
  { from: /^\/api\/v1\//, to: "/v1/" },
  { from: /^\/v1\/upstreams(?=\/|$)/, to: "/v1/mcp/servers" },
  { from: /^\/v1\/mcp-servers(?=\/|$)/, to: "/v1/mcp/servers" },
  { from: /^\/auth\/me$/, to: "/v1/users/me" },
  { from: /^\/auth\/api-keys(?=\/|$)/, to: "/v1/api-keys" }
]

const fileContent = /^(\/v1\/sessions\/[^/]+\/files)\/(?!content$)(.+)$/

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** The URL (path and query, no host) that a request's URL stands for. */
export const resolve = (url: string): string => {
  const cut = url.indexOf("?")
  const query = cut === -1 ? "" : url.slice(cut + 1)
  let path = cut === -1 ? url : url.slice(0, cut)
  if (path.length > 1 && path.endsWith("/")) path = path.replace(/\/+$/, "") || "/"
  for (const { from, to } of aliases) path = path.replace(from, to)
  const file = fileContent.exec(path)
  const name = file?.[2] === undefined ? undefined : decoded(file[2])
  if (file?.[1] !== undefined && name !== undefined) {
    return `${file[1]}/content?path=${encodeURIComponent(name)}${query === "" ? "" : `&${query}`}`
  }
  return query === "" ? path : `${path}?${query}`
}
