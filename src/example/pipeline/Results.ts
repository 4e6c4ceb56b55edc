import type { Classification } from "../../domain/example/Classification.ts"
import type { NetworkEvent } from "../../domain/session/Timeline.ts"
import { tellingRequests } from "./Evidence.ts"
import type { Step } from "./Synthesise.ts"

/** What the application answered to one request. */
export interface Answer {
  readonly seq: number
  readonly method: string
  readonly content: string
}

/** A body longer than this is a page, not an answer. */
const longest = 4096

/** What a network event answers, if it says what an action did: a short body, else its status. */
export const answerOf = ({ seq, method, url, status, response_body }: NetworkEvent): Answer | undefined => {
  const telling = tellingRequests([{ method, url, status, body: null }])
  if (telling.length === 0 || status === null || status <= 0) return undefined
  const body = response_body?.trim() ?? ""
  const isText = body !== "" && body.length <= longest && !/^<(!doctype|html)/i.test(body)
  if (method.toUpperCase() === "GET" && !isText) return undefined
  return { seq, method: method.toUpperCase(), content: isText ? body : JSON.stringify({ status }) }
}

/** Gives each classification the answer that came after it began and before the next did: of a change, else of a read. */
export const withResults = (
  classifications: ReadonlyArray<Classification>,
  answers: ReadonlyArray<Answer>
): ReadonlyArray<Step> => {
  let next = 0
  return classifications.map((classification, at) => {
    const until = classifications[at + 1]?.evidence.from_seq ?? Number.POSITIVE_INFINITY
    const { from_seq } = classification.evidence
    while ((answers[next]?.seq ?? Number.POSITIVE_INFINITY) < from_seq) next += 1
    const own: Array<Answer> = []
    for (let answer = answers[next]; answer !== undefined && answer.seq < until; answer = answers[++next])
      own.push(answer)
    const chosen = own.find(({ method }) => method !== "GET") ?? own.at(-1)
    return { ...classification, result: chosen?.content ?? null }
  })
}
