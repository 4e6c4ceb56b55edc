import { Effect, Layer } from "effect"
import { Authentication } from "../api/Security.ts"
import { Admission } from "../identity/Admission.ts"
import { arriving } from "./Arriving.ts"

/** The contract's authentication and limits, done by the one plain function that every protocol uses. */
export const layer = Layer.effect(
  Authentication,
  Effect.map(Admission, ({ admit }) => Authentication.of(Effect.flatMap(arriving, admit)))
)
