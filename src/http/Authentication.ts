import { HttpRouter, HttpServerRequest } from "@effect/platform"
import { Effect, Layer } from "effect"
import { Authentication } from "../api/Security.ts"
import { RequestInfo } from "../domain/RequestInfo.ts"
import { Admission } from "../identity/Admission.ts"
import { AnswerHeaders } from "./AnswerHeaders.ts"
import { rateGroupOf } from "./RateGroups.ts"

/** The contract's authentication and limits, done by the one plain function that every protocol uses. */
export const layer = Layer.effect(
  Authentication,
  Effect.map(Admission, ({ admit }) =>
    Authentication.of(
      Effect.gen(function* () {
        const { headers } = yield* HttpServerRequest.HttpServerRequest
        const { route } = yield* HttpRouter.RouteContext
        const { ip } = yield* RequestInfo
        const answer = yield* AnswerHeaders
        return yield* admit({
          headers,
          ip,
          group: rateGroupOf(route),
          answers: (fields) => {
            Object.assign(answer, fields)
          }
        })
      })
    )
  )
)
