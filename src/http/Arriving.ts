import { HttpRouter, HttpServerRequest } from "@effect/platform"
import { Effect } from "effect"
import { RequestInfo } from "../domain/RequestInfo.ts"
import type { Arriving } from "../identity/Admission.ts"
import { AnswerHeaders } from "./AnswerHeaders.ts"
import { rateGroupOf } from "./RateGroups.ts"

/** The request at hand, as far as it decides who may make it. */
export const arriving = Effect.gen(function* () {
  const { headers } = yield* HttpServerRequest.HttpServerRequest
  const { route } = yield* HttpRouter.RouteContext
  const { ip } = yield* RequestInfo
  const answer = yield* AnswerHeaders
  return {
    headers,
    ip,
    group: rateGroupOf(route),
    answers: (fields) => {
      Object.assign(answer, fields)
    }
  } satisfies Arriving
})
