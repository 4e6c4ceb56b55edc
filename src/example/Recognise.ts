import { Effect, Stream } from "effect"
import type { ActionSurface, Classification } from "../domain/example/Classification.ts"
import type { Episode } from "../domain/example/Episode.ts"
import type { SeqRange } from "../domain/example/Example.ts"
import type { TimelineEvent } from "../domain/session/Timeline.ts"
import { makePace } from "../platform/Pace.ts"
import type { ConversationEvent } from "./pipeline/AgentConversation.ts"
import type { Classifier } from "./pipeline/Classify.ts"
import { Normaliser } from "./pipeline/Normalise.ts"
import { type Answer, answerOf, withResults } from "./pipeline/Results.ts"
import { StageFailed } from "./StageFailed.ts"

/** More than this is not one example. */
const maxSteps = 2000
const maxAnswerBytes = 16 * 1024 * 1024
const maxConversation = 32 * 1024 * 1024

/** The events of the part that is asked for. */
export const within = <E, R>(range: SeqRange | null, events: Stream.Stream<TimelineEvent, E, R>) =>
  range === null
    ? events
    : events.pipe(
        Stream.takeWhile(({ seq }) => seq <= range.to_seq),
        Stream.filter(({ seq }) => seq >= range.from_seq)
      )

const tooMany = new StageFailed({
  code: "too_many_actions",
  detail: `more than ${maxSteps} actions were recognised: make several examples, each of a range of the timeline`
})

/** Reads a timeline once, as it comes, and answers the actions that were recognised in it, and what they were for. */
export const recognise = <E, R, Failure>(
  classifier: Classifier<Failure>,
  actions: ReadonlyArray<ActionSurface>,
  events: Stream.Stream<TimelineEvent, E, R>
) =>
  Effect.gen(function* () {
    const normaliser = new Normaliser()
    const recognition = classifier.start(actions)
    const found: Array<Classification> = []
    const answers: Array<Answer> = []
    const pace = makePace()
    let held = 0
    const look = (episodes: ReadonlyArray<Episode>) =>
      Effect.forEach(
        episodes,
        (episode) =>
          Effect.flatMap(recognition.push(episode), (more) => {
            found.push(...more)
            return found.length > maxSteps ? tooMany : pace
          }),
        { discard: true }
      )
    yield* Stream.runForEachChunk(events, (chunk) =>
      Effect.suspend(() => {
        const episodes: Array<Episode> = []
        for (const event of chunk) {
          if (event.kind === "network" && held < maxAnswerBytes) {
            const answer = answerOf(event)
            if (answer !== undefined) answers.push(answer)
            held += answer?.content.length ?? 0
          }
          episodes.push(...normaliser.add(event))
        }
        return look(episodes)
      })
    )
    yield* look(normaliser.end())
    found.push(...(yield* recognition.end))
    if (found.length > maxSteps) return yield* tooMany
    return { steps: withResults(found, answers), intent: recognition.intent() }
  })

const sizeOf = (event: ConversationEvent): number => {
  if (event.kind !== "tool_call") return event.content.length
  return typeof event.arguments === "string" ? event.arguments.length : JSON.stringify(event.arguments).length
}

/** The events of the one conversation of a timeline; of several, the one that the range begins in. */
export const conversation = <E, R>(range: SeqRange | null, events: Stream.Stream<TimelineEvent, E, R>) =>
  Effect.gen(function* () {
    const own: Array<ConversationEvent> = []
    const spans = new Map<number, { from: number; to: number }>()
    let size = 0
    yield* Stream.runForEachChunk(within(range, events), (chunk) =>
      Effect.suspend(() => {
        for (const event of chunk) {
          if (event.kind !== "message" && event.kind !== "tool_call" && event.kind !== "tool_result") continue
          const span = spans.get(event.conversation)
          if (span !== undefined) span.to = event.seq
          else if (spans.size < 1000) spans.set(event.conversation, { from: event.seq, to: event.seq })
          if (event.conversation !== (own[0]?.conversation ?? event.conversation)) continue
          own.push(event)
          size += sizeOf(event)
        }
        return size <= maxConversation
          ? Effect.void
          : new StageFailed({
              code: "too_long",
              detail: "the conversation is longer than 32 MiB: make examples of ranges of its timeline"
            })
      })
    )
    if (range === null && spans.size > 1) {
      const named = [...spans.values()].slice(0, 10).map(({ from, to }) => `${from}–${to}`)
      return yield* new StageFailed({
        code: "several_conversations",
        detail: `the session holds ${spans.size} conversations: make one example of each, with its range; they are ${named.join(", ")}${spans.size > 10 ? "…" : ""}`
      })
    }
    return own
  })
