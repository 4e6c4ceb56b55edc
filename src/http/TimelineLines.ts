import { Chunk, Effect, Stream } from "effect"
import { describe } from "../domain/Problem.ts"
import type { TimelineEvent } from "../domain/session/Timeline.ts"
import type { TimelineError } from "../session/Timeline.ts"

const encoder = new TextEncoder()

const line = (event: TimelineEvent) => `${JSON.stringify(event)}\n`

/** The answer has begun: all that can still be said is a last line. */
const lastLine = (seq: number, error: TimelineError): TimelineEvent => ({
  seq,
  at: null,
  kind: "note",
  name: "tracepipe.error",
  data: { ...describe(error), _tag: error._tag, detail: error.message },
  source: error._tag === "TimelineUnreadable" ? { file: error.file, line: error.line } : { file: "", line: null }
})

/**
 * Events as JSON Lines. Should the timeline break off, the last line is a note `tracepipe.error` with
 * the problem; without it the timeline is whole.
 */
export const timelineLines = (events: Stream.Stream<TimelineEvent, TimelineError>): Stream.Stream<Uint8Array> =>
  Stream.suspend(() => {
    let count = 0
    return events.pipe(
      Stream.mapChunks((chunk) => {
        count += Chunk.size(chunk)
        return Chunk.of(encoder.encode(Chunk.toReadonlyArray(chunk).map(line).join("")))
      }),
      Stream.catchAll((error) =>
        Stream.fromEffect(
          Effect.as(
            Effect.logWarning(`a timeline broke off after ${count} events: ${error.message}`),
            encoder.encode(line(lastLine(count, error)))
          )
        )
      )
    )
  })
