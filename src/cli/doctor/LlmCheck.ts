import { Effect, Layer } from "effect"
import type { Egress } from "../../platform/Egress.ts"
import * as EgressLive from "../../platform/EgressLive.ts"
import type { LlmConnection } from "../../platform/llm/LlmConnection.ts"
import { configured, reach } from "../../platform/llm/LlmReach.ts"
import { Settings, type Values } from "../../platform/Settings.ts"
import { reason } from "../Report.ts"
import { type Finding, fail, ok, warn } from "./Finding.ts"

const PATIENCE = "20 seconds"

const check = (connection: LlmConnection): Effect.Effect<Finding, never, Egress | Settings> => {
  const name = `language model: ${connection.provider} at ${connection.base_url}`
  return reach(connection).pipe(
    Effect.timeoutFail({ duration: PATIENCE, onTimeout: () => new Error(`no answer within ${PATIENCE}`) }),
    Effect.map((status) => {
      if (status < 300) return ok(`${name} answers`)
      return status === 401 || status === 403
        ? fail(`${name} refuses the key (${status})`, "give it another one")
        : warn(
            `${name} answers ${status} to a question for its models`,
            "check LLM_BASE_URL, unless it has no such list"
          )
    }),
    Effect.catchAll((error) => Effect.succeed(fail(`${name}: ${reason(error)}`, "check LLM_BASE_URL and the network")))
  )
}

/** Asks every configured provider for its list of models; none configured: nothing to check. */
export const checkLlm = (values: Values): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.forEach(configured(values), check, { concurrency: "unbounded" }).pipe(
    Effect.provide(EgressLive.layer.pipe(Layer.provideMerge(Layer.succeed(Settings, values))))
  )
