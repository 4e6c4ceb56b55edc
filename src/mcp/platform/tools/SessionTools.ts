import { Effect, Schema, Stream } from "effect"
import { SessionPage, sessionFilters } from "../../../api/SessionsApi.ts"
import { SessionId } from "../../../domain/Ids.ts"
import type { Session } from "../../../domain/session/Session.ts"
import { TimelineEvent } from "../../../domain/session/Timeline.ts"
import { Sessions } from "../../../session/Sessions.ts"
import { cutText, cutTexts, orNote, shortDescription, Window } from "../Cut.ts"
import { paging, reads, tool, windowing, written } from "../Tool.ts"
import { sessionUri } from "../Uris.ts"

const SessionTimeline = Schema.Struct({
  session_id: SessionId,
  event_count: Schema.NullOr(Schema.Int).annotations({
    description: "Of the whole timeline; null until it was once read to its end"
  }),
  events: Schema.Array(TimelineEvent),
  next_seq: Schema.NullOr(Schema.Int).annotations({
    description: "Pass it as `from_seq` for what comes next; null at the end"
  }),
  broken_off: Schema.NullOr(Schema.String).annotations({
    description: "Why the recording cannot be read beyond these events"
  })
})

const textChars = 200

/** What an event that stays too large with short texts is reduced to: what it holds in any number is cut to one text. */
const bare = (event: TimelineEvent, size: number): TimelineEvent => {
  const { extra: _extra, ...own } = event
  const cut = { extra: { cut: `this event is ${size} characters long: only its beginning is here` } }
  const text = (value: unknown) => cutText(JSON.stringify(value) ?? "", textChars)
  switch (own.kind) {
    case "network":
      return { ...cutTexts(own, textChars), request_headers: null, response_headers: null, ...cut }
    case "tool_call":
      return { ...cutTexts({ ...own, arguments: "" }, textChars), arguments: text(own.arguments), ...cut }
    case "note":
      return { ...cutTexts({ ...own, data: null }, textChars), data: text(own.data), ...cut }
    default:
      return { ...cutTexts(own, textChars), ...cut }
  }
}

/** In a list, what is said of one session leaves room for the others. */
const shortMetadata = ({ id, metadata }: typeof Session.Encoded) =>
  orNote(metadata, 2000, (size) => ({ cut: `${size} characters: read the resource ${sessionUri(id)}` }))

/** Recorded sessions and what happened in them. */
export const sessionTools = Effect.gen(function* () {
  const sessions = yield* Sessions

  const timeline = (session_id: SessionId, from_seq: number, max_chars: number) =>
    Effect.gen(function* () {
      const { event_count } = yield* sessions.get(session_id)
      const { events } = yield* sessions.timeline(session_id)
      const window = new Window(max_chars, bare)
      const broken_off = yield* events.pipe(
        Stream.dropWhile(({ seq }) => seq < from_seq),
        Stream.takeWhile((event) => window.add(event, event.seq)),
        Stream.runDrain,
        Effect.as(null),
        Effect.catchTag("TimelineUnreadable", ({ message }) => Effect.succeed(message))
      )
      return { session_id, event_count, events: window.items, next_seq: window.next, broken_off }
    })

  return [
    tool({
      name: "list_sessions",
      title: "List sessions",
      description:
        "Lists recorded sessions (of people in applications, and of agents), newest first. Only READY ones have a timeline and can become examples.",
      input: Schema.Struct({ ...paging, ...sessionFilters }),
      output: written(SessionPage),
      annotations: reads,
      next: { BadRequest: "Leave `cursor` out for the first page." },
      handle: (query) =>
        Effect.map(sessions.list(query), ({ items, next_cursor }) => ({
          items: items.map((session) => ({
            ...session,
            description: shortDescription(session.description),
            metadata: shortMetadata(session)
          })),
          next_cursor
        }))
    }),
    tool({
      name: "get_session_timeline",
      title: "Read a session's timeline",
      description:
        "Reads what happened in a session, in the order of time: inputs, network traffic, messages, tool calls. Answers as many events as fit into `max_chars`; long texts are cut and say so. Call again with `next_seq` for more.",
      input: Schema.Struct({
        session_id: SessionId,
        from_seq: Schema.optionalWith(Schema.Int.pipe(Schema.between(0, Number.MAX_SAFE_INTEGER)), {
          default: () => 0
        }).annotations({
          description: "Where to begin: the `next_seq` of the answer before; 0 is the beginning",
          default: 0
        }),
        ...windowing
      }),
      output: written(SessionTimeline),
      annotations: reads,
      next: {
        NotFound: "Call list_sessions for the ids of sessions.",
        SessionNotReady: "Call list_sessions for those that are READY."
      },
      also: ({ session_id }) => [
        {
          type: "resource_link",
          uri: sessionUri(session_id),
          name: `session ${session_id}`,
          mimeType: "application/json",
          description: "The session with its files, and where the whole timeline is"
        }
      ],
      handle: ({ session_id, from_seq, max_chars }) => timeline(session_id, from_seq, max_chars)
    })
  ]
})
