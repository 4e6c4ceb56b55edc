import type { EpisodeRequest } from "../../domain/example/Episode.ts"
import type { NetworkEvent } from "../../domain/session/Timeline.ts"

const staticPath =
  /\.(?:js|mjs|css|map|png|jpe?g|gif|svg|webp|avif|ico|bmp|woff2?|ttf|otf|eot|mp[34]|webm|ogg|wav|pdf|wasm)$/i
const staticType = /^(?:image|font|audio|video)\/|css|javascript|ecmascript|wasm/i
const staticResources: ReadonlySet<unknown> = new Set([
  "script",
  "stylesheet",
  "image",
  "font",
  "media",
  "texttrack",
  "manifest",
  "ping",
  "preflight"
])
const callResources: ReadonlySet<unknown> = new Set(["xhr", "fetch"])

const urlOf = (url: string): URL | undefined => (URL.canParse(url) ? new URL(url) : undefined)

/** The site of a page, to compare with: its host's last two labels. */
export const originOf = (page: string | null): string | null => (page === null ? null : siteOf(urlOf(page)))

const siteOf = (url: URL | undefined): string | null =>
  url === undefined || !url.protocol.startsWith("http") ? null : url.hostname.split(".").slice(-2).join(".")

const header = (headers: Readonly<Record<string, string>> | null, name: string): string => {
  for (const key in headers) if (key.toLowerCase() === name) return headers[key] ?? ""
  return ""
}

const resourceOf = ({ extra }: NetworkEvent): unknown => {
  const type = extra?.["_resourceType"] ?? extra?.["resourceType"] ?? extra?.["resource_type"]
  return typeof type === "string" ? type.toLowerCase() : undefined
}

const isCall = (event: NetworkEvent): boolean =>
  callResources.has(resourceOf(event)) ||
  header(event.request_headers, "x-requested-with") !== "" ||
  /json|graphql|x-www-form-urlencoded|multipart/i.test(header(event.request_headers, "content-type")) ||
  /json/i.test(header(event.request_headers, "accept")) ||
  /json/i.test(header(event.response_headers, "content-type"))

/** Whether a request says what was done: of the same site or a call of an API, and no part of a page. */
export const isRequest = (event: NetworkEvent, site: string | null): boolean => {
  if (event.method === "OPTIONS" || staticResources.has(resourceOf(event))) return false
  const url = urlOf(event.url)
  if (url !== undefined && (!/^(?:https?|wss?):$/.test(url.protocol) || staticPath.test(url.pathname))) return false
  if (event.method === "GET" && staticType.test(header(event.response_headers, "content-type"))) return false
  return site === null
    ? event.method !== "GET" || isCall(event)
    : siteOf(url) === site || url === undefined || isCall(event)
}

export const requestOf = ({ method, url, status, request_body }: NetworkEvent): EpisodeRequest => ({
  method,
  url,
  status,
  body: request_body
})
