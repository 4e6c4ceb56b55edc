import { Effect, Either, Schema, Stream } from "effect"
import type { Example } from "../../domain/example/Example.ts"
import { Page } from "../../domain/Page.ts"
import { CurrentPrincipal, holds } from "../../domain/Principal.ts"
import { Session, SessionFile } from "../../domain/session/Session.ts"
import { Examples } from "../../example/Examples.ts"
import { Sessions } from "../../session/Sessions.ts"
import type { Listed, ResourceDescription, ResourceText, TemplateDescription } from "../Surface.ts"
import { cutText } from "./Cut.ts"
import { lines } from "./Lines.ts"
import { messagesTemplate, messagesUri, named, sessionTemplate, sessionUri } from "./Uris.ts"

const listedAtOnce = 50
const mostPages = 10
const filesShown = 100
const maxBytes = 1024 * 1024
const nameChars = 80

const json = "application/json"
const jsonLines = "application/x-ndjson"

export const templates: ReadonlyArray<TemplateDescription> = [
  {
    uriTemplate: sessionTemplate,
    name: "session",
    title: "A session",
    description: "A recorded session with its files, and where its timeline is; list_sessions knows the ids",
    mimeType: json
  },
  {
    uriTemplate: messagesTemplate,
    name: "example_messages",
    title: "An example's messages",
    description: "The conversation of a completed example as JSON Lines; find_examples knows the ids",
    mimeType: jsonLines
  }
]

/** Where a list of resources goes on: sessions come first. */
const Place = Schema.Struct({
  of: Schema.Literal("sessions", "examples"),
  cursor: Schema.optionalWith(Schema.String.pipe(Schema.maxLength(4096)), { exact: true })
})
type Place = typeof Place.Type
const PlaceText = Schema.StringFromBase64Url.pipe(Schema.compose(Schema.parseJson(Place)))
const decodePlace = Schema.decodeUnknownEither(PlaceText)
const encodePlace = Schema.encodeSync(PlaceText)

const sessionResource = (session: typeof Session.Encoded): ResourceDescription => ({
  uri: sessionUri(session.id),
  name: `session ${session.id}`,
  title: cutText(session.description.trim() || `A recording in the format ${session.format}`, nameChars),
  description: `Recorded ${session.started_at ?? session.created_at}, ${session.file_count} files, ${session.event_count ?? "not yet counted"} events`,
  mimeType: json
})

const exampleResource = (example: typeof Example.Encoded): ResourceDescription => ({
  uri: messagesUri(example.id),
  name: `messages of example ${example.id}`,
  title: `Example by ${example.model}`,
  description: `Of session ${example.session_id}, ${example.message_count} messages, confidence ${example.confidence}`,
  mimeType: jsonLines
})

const SessionResource = Schema.Struct({
  session: Session,
  files: Page("SessionFilePage", SessionFile),
  timeline: Schema.Struct({ tool: Schema.String, endpoint: Schema.String })
})
const encodeSession = Schema.encode(SessionResource)
const noFiles = { items: [], next_cursor: null }

const encoder = new TextEncoder()

/** Sessions and completed examples, as resources. */
export const makeResources = Effect.gen(function* () {
  const sessions = yield* Sessions
  const examples = yield* Examples

  const sessionsFrom = (cursor: string | undefined) =>
    Effect.map(sessions.list({ limit: listedAtOnce, cursor }), ({ items, next_cursor }) => ({
      // The others have nothing to be read yet, or nothing any more.
      items: items.filter(({ status }) => status === "READY").map(sessionResource),
      next:
        next_cursor === null ? ({ of: "examples" } satisfies Place) : { of: "sessions" as const, cursor: next_cursor }
    }))

  const examplesFrom = (cursor: string | undefined) =>
    Effect.map(examples.list({ limit: listedAtOnce, cursor, status: "COMPLETED" }), ({ items, next_cursor }) => ({
      items: items.map(exampleResource),
      next: next_cursor === null ? undefined : { of: "examples" as const, cursor: next_cursor }
    }))

  const from = ({ of, cursor }: Place) => (of === "sessions" ? sessionsFrom(cursor) : examplesFrom(cursor))

  /** The newest first; who may not see one kind is shown the other. Undefined: the cursor is none of ours. */
  const list = (cursor: string | undefined) =>
    Effect.gen(function* () {
      const place = cursor === undefined ? Either.right<Place>({ of: "sessions" }) : decodePlace(cursor)
      if (Either.isLeft(place)) return undefined
      const principal = yield* CurrentPrincipal
      const sees = ({ of }: Place) => holds(principal, `${of}:read`)
      let next: Place | undefined = place.right
      const shown: Array<ResourceDescription> = []
      // An empty page would look like the end to some; it is one only where many sessions were rejected in a row.
      for (let pages = 0; next !== undefined && shown.length === 0 && pages < mostPages; pages++) {
        const page: { items: ReadonlyArray<ResourceDescription>; next: Place | undefined } = sees(next)
          ? yield* from(next)
          : { items: [], next: next.of === "sessions" ? { of: "examples" } : undefined }
        shown.push(...page.items)
        next = page.next
      }
      return {
        items: shown,
        ...(next === undefined ? {} : { nextCursor: encodePlace(next) })
      } satisfies Listed<ResourceDescription>
    })

  const session = (id: Session["id"]) =>
    Effect.gen(function* () {
      const found = yield* sessions.get(id)
      const files = found.status === "READY" ? yield* sessions.files(id, { limit: filesShown }) : noFiles
      const timeline = { tool: "get_session_timeline", endpoint: `/v1/sessions/${id}/timeline` }
      return JSON.stringify(yield* Effect.orDie(encodeSession({ session: found, files, timeline })))
    })

  /** The messages' lines, as many as there is room for, and a note where that is not all. */
  const messages = (id: Example["id"]) =>
    Effect.gen(function* () {
      let size = 0
      const kept: Array<string> = []
      let isWhole = true
      yield* lines(yield* examples.messages(id)).pipe(
        Stream.takeWhile((line) => {
          size += encoder.encode(line).length + 1
          isWhole = size <= maxBytes
          if (isWhole) kept.push(line)
          return isWhole
        }),
        Stream.runDrain
      )
      const note = `cut at 1 MiB: call get_example_messages with example_id ${id} and from_index ${kept.length} for more`
      return [...kept, ...(isWhole ? [] : [JSON.stringify({ cut: note })])].map((line) => `${line}\n`).join("")
    })

  /** Undefined: the URI is none of ours. */
  const read = (uri: string) =>
    Effect.gen(function* () {
      const what = named(uri)
      if (what === undefined) return undefined
      const text = "session_id" in what ? yield* session(what.session_id) : yield* messages(what.example_id)
      return { uri, mimeType: "session_id" in what ? json : jsonLines, text } satisfies ResourceText
    })

  return { list, read } as const
})
