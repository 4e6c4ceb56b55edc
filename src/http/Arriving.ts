import { HttpRouter, HttpServerRequest } from "@effect/platform"
import { Context, Effect } from "effect"
import { RequestInfo } from "../domain/RequestInfo.ts"
import type { Arriving } from "../identity/Admission.ts"
import { AnswerHeaders } from "./AnswerHeaders.ts"
import { rateGroupOf } from "./RateGroups.ts"

type Request = HttpServerRequest.HttpServerRequest | HttpRouter.RouteContext

/** Hands on the request at hand, as far as it decides who may make it, and what is known of it; in one step, as every request takes it. */
export const withArriving = <A, E, R>(
  use: (arriving: Arriving, info: typeof RequestInfo.Service) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | Request> =>
  Effect.contextWithEffect((context: Context.Context<Request>) => {
    const info = Context.get(context, RequestInfo)
    const answer = Context.get(context, AnswerHeaders)
    const arriving: Arriving = {
      headers: Context.get(context, HttpServerRequest.HttpServerRequest).headers,
      ip: info.ip,
      group: rateGroupOf(Context.get(context, HttpRouter.RouteContext).route),
      answers: (fields) => {
        Object.assign(answer, fields)
      }
    }
    return use(arriving, info)
  })
