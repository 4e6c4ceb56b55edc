import type { A2ARequestHandler } from "@a2a-js/sdk/server"
import { Effect } from "effect"
import { MethodNotAllowed } from "../domain/Errors.ts"
import type { Protocol } from "../platform/Protocols.ts"
import { Settings } from "../platform/Settings.ts"
import { agentCard, type CardSkill } from "./AgentCards.ts"
import { cardAnswer } from "./CardAnswer.ts"
import * as JsonRpc from "./JsonRpc.ts"
import { RequestHandler } from "./RequestHandler.ts"
import * as Rest from "./Rest.ts"
import { skills } from "./Skills.ts"

const CARD = "/.well-known/agent-card.json"

const pathOf = ({ url }: Request) => new URL(url).pathname

const notA = (method: string, path: string, allow: ReadonlyArray<string>) =>
  new MethodNotAllowed({ detail: `${method} is not a method of ${path}`, allow })

/**
 * A2P: the A2A protocol over a handler of its requests. JSON-RPC at `/a2p`, HTTP+JSON under `/a2p/`, both
 * of versions 1.0 and 0.3, and the agent card for everybody.
 */
export const make = (handler: A2ARequestHandler, skills: ReadonlyArray<CardSkill>) =>
  Effect.map(Settings, (values): Protocol => {
    const { max_request_bytes } = values.a2p
    const card = agentCard(values, skills, { extended: false })
    const carded = { handler, card, extended_card: agentCard(values, skills, { extended: true }) }
    return {
      name: "a2p",
      paths: ["/a2p", "/a2p/*", CARD],
      beforehand: ({ request }) =>
        Effect.gen(function* () {
          if (pathOf(request) !== CARD) return undefined
          if (request.method !== "GET" && request.method !== "HEAD")
            return yield* notA(request.method, CARD, ["GET", "HEAD"])
          return yield* Effect.promise(() => cardAnswer(request, card))
        }),
      handle: (admitted) => {
        const { request } = admitted
        if (pathOf(request) !== "/a2p") return Rest.handle(carded, admitted, max_request_bytes)
        return request.method === "POST"
          ? JsonRpc.handle(carded, admitted, max_request_bytes)
          : notA(request.method, "/a2p", ["POST"])
      }
    }
  })

/** The protocol over the tasks and the skills of this service. */
export const protocol = Effect.flatMap(RequestHandler, (handler) => make(handler, skills))
