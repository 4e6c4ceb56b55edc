import type { Episode, EpisodeRequest } from "../../domain/example/Episode.ts"
import { isVerb, tokens } from "./Tokens.ts"

/** How strongly each word speaks: 0 to 1. */
export type Weights = Map<string, number>

const raise = (weights: Weights, words: ReadonlyArray<string>, weight: number) => {
  for (const word of words) if ((weights.get(word) ?? 0) < weight) weights.set(word, weight)
}

/** A URL's path and query keys; a text that is no URL is taken as a path. */
export const urlParts = (
  url: string
): { readonly path: string; readonly query: URLSearchParams; readonly origin: string } => {
  const base = "http://relative.invalid"
  if (!URL.canParse(url, base)) return { path: url, query: new URLSearchParams(), origin: "" }
  const { pathname, searchParams, origin, hash } = new URL(url, base)
  // Applications that route in the fragment have their path there.
  return { path: hash.startsWith("#/") ? pathname + hash.slice(1) : pathname, query: searchParams, origin }
}

const asset = /\.(png|jpe?g|gif|svg|ico|webp|css|js|mjs|map|woff2?|ttf|mp4|wasm)$/i
const tracking = /(^|[./-])(analytics|collect|beacon|telemetry|metrics|sentry|segment|gtm|pixel|log)([./-]|$)/i

/** Requests that can say what was done: not images, scripts and counters. At most eight. */
export const tellingRequests = (requests: ReadonlyArray<EpisodeRequest>): ReadonlyArray<EpisodeRequest> =>
  requests
    .filter(({ method, url }) => {
      const { path } = urlParts(url)
      return method !== "OPTIONS" && method !== "HEAD" && !asset.test(path) && !tracking.test(path)
    })
    .slice(0, 8)

const isRead = (method: string) => method === "GET"

/** What the method of a request says was done. */
const methodWords = ({ method, url }: EpisodeRequest): ReadonlyArray<readonly [string, number]> => {
  switch (method.toUpperCase()) {
    case "POST":
      return [
        ["add", 0.8],
        ["send", 0.5],
        ["buy", 0.4],
        ["save", 0.4]
      ]
    case "PUT":
    case "PATCH":
      return [["save", 0.9]]
    case "DELETE":
      return [["delete", 0.9]]
    default:
      return [...urlParts(url).query.keys()].some(
        (key) => tokens(key).includes("search") || /^(q|s|term|keywords?)$/i.test(key)
      )
        ? [["search", 0.8]]
        : [["open", 0.4]]
  }
}

/** Words on buttons that only say that a form is sent, whatever it does. */
const confirmations = new Set(["save", "ok", "confirm", "continu", "continue", "done", "next", "go", "send", "yes"])

const selectorWords = (selector: string) =>
  tokens(
    selector.replaceAll(/:nth-[\w-]+(\([^)]*\))?|\b(div|span|body|html|main|section|ul|li|td|tr|table|xpath)\b/g, " ")
  )

/** Recorders that tell nothing but a selector tell the element with it. */
const linkSelector = /(^|[\s>])a([.#:[][^\s>]*)?$/

const isLink = ({ role, tag, selector = "" }: NonNullable<Episode["target"]>) =>
  role === "link" || tag?.toLowerCase() === "a" || (role === undefined && linkSelector.test(selector))

/** What an episode that may be an action says, by its target, page and requests. */
export const triggerEvidence = (episode: Episode): Weights => {
  const weights: Weights = new Map()
  const { target, type, url } = episode
  const requests = tellingRequests(episode.requests)
  const label = tokens([target?.name, target?.text].filter((text) => text !== undefined).join(" "))
  const changes = requests.some(({ method }) => !isRead(method.toUpperCase()))
  const isConfirmation = label.length > 0 && label.every((word) => confirmations.has(word))
  raise(weights, label, isConfirmation && changes ? 0.5 : 1)
  if (target?.selector !== undefined) raise(weights, selectorWords(target.selector), 0.5)
  if (target !== null && isLink(target)) raise(weights, ["open"], 0.4)
  if (target?.role === "searchbox" || target?.input_type === "search") raise(weights, ["search"], 0.8)
  for (const request of requests) {
    const weight = isRead(request.method.toUpperCase()) ? 0.5 : 0.8
    raise(weights, tokens(urlParts(request.url).path), weight)
    for (const [word, strength] of methodWords(request)) raise(weights, [word], strength)
  }
  if (url !== null) {
    const { path, query } = urlParts(url)
    raise(weights, tokens(path), type === "navigate" ? 0.7 : 0.35)
    if (type === "navigate") {
      const searches =
        /search|find/i.test(path) || [...query.keys()].some((key) => /^(q|s|query|search|term)$/i.test(key))
      raise(weights, [searches ? "search" : "open"], searches ? 0.8 : 0.6)
    }
  }
  return weights
}

/** Adds what the fields that were filled before say: less than what sent them. */
export const withFields = (weights: Weights, fields: ReadonlyArray<Episode>): Weights => {
  const all: Weights = new Map(weights)
  for (const { target, requests } of fields) {
    const words = tokens([target?.name, target?.text].filter((text) => text !== undefined).join(" "))
    raise(
      all,
      words.filter((word) => !isVerb(word)),
      0.4
    )
    if (target?.role === "searchbox" || target?.input_type === "search") raise(all, ["search"], 0.6)
    for (const request of tellingRequests(requests)) {
      if (isRead(request.method.toUpperCase())) continue
      raise(all, tokens(urlParts(request.url).path), 0.4)
    }
  }
  return all
}
