import { Effect, Layer } from "effect"
import { Authentication } from "../api/Security.ts"
import { Admission } from "../identity/Admission.ts"
import { withArriving } from "./Arriving.ts"

/** The contract's authentication and limits, done by the one plain function that every protocol uses. */
export const layer = Layer.effect(
  Authentication,
  Effect.map(Admission, ({ admit }) =>
    Authentication.of(
      withArriving((arriving, info) =>
        Effect.map(admit(arriving), (principal) => {
          // For the rim, which knows of a refusal and not of whom.
          info.caller = principal
          return principal
        })
      )
    )
  )
)
