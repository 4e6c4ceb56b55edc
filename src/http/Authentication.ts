import { Effect, Layer } from "effect"
import { Authentication } from "../api/Security.ts"
import { RequestInfo } from "../domain/RequestInfo.ts"
import { Admission } from "../identity/Admission.ts"
import { arriving } from "./Arriving.ts"

/** The contract's authentication and limits, done by the one plain function that every protocol uses. */
export const layer = Layer.effect(
  Authentication,
  Effect.map(Admission, ({ admit }) =>
    Authentication.of(
      Effect.gen(function* () {
        const principal = yield* Effect.flatMap(arriving, admit)
        const info = yield* RequestInfo
        // For the rim, which knows of a refusal and not of whom.
        info.caller = principal
        return principal
      })
    )
  )
)
