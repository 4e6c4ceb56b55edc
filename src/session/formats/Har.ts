import type { DraftEvent, EventSource, NetworkEvent } from "../../domain/session/Timeline.ts"
import type { Adapter } from "./Adapter.ts"
import { headersOf } from "./Headers.ts"
import { documentNote, note, reading } from "./Reading.ts"
import { ReorderWindow } from "./ReorderWindow.ts"
import { extraOf, isMembers, type Members, numberOf, shown, textOf, timeOf } from "./Values.ts"

const entryKeys: ReadonlySet<string> = new Set(["startedDateTime", "time", "request", "response"])
const requestKeys: ReadonlySet<string> = new Set(["method", "url", "headers", "postData"])
const responseKeys: ReadonlySet<string> = new Set(["status", "headers", "content"])
const bodyKeys: ReadonlySet<string> = new Set(["text"])

/** Entries are written as answers come, and are told by when they were asked. */
const window = { items: 64, bytes: 8 * 1024 * 1024 }

const isText = (mime: string) => /^text\/|json|xml|javascript|x-www-form-urlencoded/i.test(mime)

const pair = (param: unknown): string =>
  isMembers(param)
    ? `${encodeURIComponent((shown(param.name) ?? "").toWellFormed())}=${encodeURIComponent((shown(param.value) ?? "").toWellFormed())}`
    : ""

const requestBody = (post: unknown): string | null => {
  if (!isMembers(post)) return null
  const text = textOf(post.text)
  if (text !== null && text !== "") return text
  return Array.isArray(post.params) && post.params.length > 0 ? post.params.map(pair).join("&") : null
}

/** Text as it is, base64 decoded where it is text; an image's bytes stay in the recording. */
const responseBody = (content: Members): string | null => {
  const text = textOf(content.text)
  if (text === null || content.encoding !== "base64") return text
  return isText(shown(content.mimeType) ?? "") ? Buffer.from(text, "base64").toString("utf8") : null
}

/** One entry of a HAR, which Playwright's network files hold too. */
export const entryOf = (entry: Members, source: EventSource, time?: string | null): NetworkDraft => {
  const request = isMembers(entry.request) ? entry.request : {}
  const response = isMembers(entry.response) ? entry.response : {}
  const content = isMembers(response.content) ? response.content : {}
  const post = isMembers(request.postData) ? extraOf(request.postData, bodyKeys) : undefined
  const duration_ms = numberOf(entry.time)
  const at = timeOf(entry.startedDateTime) ?? time ?? null
  const requestRest = extraOf(request, requestKeys)
  const responseRest = extraOf(response, responseKeys)
  const body = extraOf(content, bodyKeys)
  return {
    kind: "network",
    at,
    source,
    method: shown(request.method) ?? "GET",
    url: shown(request.url) ?? "",
    status: Number.isSafeInteger(response.status) ? numberOf(response.status) : null,
    request_headers: headersOf(request.headers),
    request_body: requestBody(request.postData),
    response_headers: headersOf(response.headers),
    response_body: responseBody(content),
    duration_ms: duration_ms !== null && duration_ms >= 0 ? duration_ms : null,
    extra: {
      ...extraOf(entry, entryKeys),
      ...(requestRest || post ? { request: { ...requestRest, ...(post ? { postData: post } : {}) } } : {}),
      ...(responseRest || body ? { response: { ...responseRest, ...(body ? { content: body } : {}) } } : {})
    }
  }
}

type NetworkDraft = Omit<NetworkEvent, "seq">

/** HAR 1.1 and 1.2, with whatever stands before the document in `.harp` files. */
export const har: Adapter = reading({ paths: ["log.entries[*]"], prefix: true }, (emit) => {
  const log = documentNote(emit, "log")
  const root = documentNote(emit, "har")
  const entries = new ReorderWindow<DraftEvent>(window)
  const flush = (ended: boolean) => {
    for (let event = entries.pop(ended); event !== undefined; event = entries.pop(ended)) emit(event)
  }
  return {
    element: (_path, entry, place, around) => {
      log.before(around[1], place)
      const event = isMembers(entry) ? entryOf(entry, place.source) : note("entry", entry, place.source)
      entries.push(event.at === null ? null : Date.parse(event.at), place.bytes, event)
      flush(false)
    },
    object: (path, members, place) => {
      flush(true)
      if (path === "log") log.after(members, place)
      else root.after(members, place)
    },
    end: () => flush(true)
  }
})
