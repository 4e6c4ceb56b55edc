import { Layer } from "effect"
import * as Database from "./Database.ts"
import * as EgressLive from "./EgressLive.ts"
import { Id } from "./Id.ts"
import * as Llm from "./Llm.ts"
import * as ObjectStoreLive from "./ObjectStoreLive.ts"
import * as RateLimitStoreLive from "./RateLimitStoreLive.ts"
import * as SecretStoreLive from "./SecretStoreLive.ts"

/** Everything from outside that the services need, as configured. */
export const layer = Layer.mergeAll(
  SecretStoreLive.layer,
  ObjectStoreLive.layer,
  Llm.layer,
  Id.layer,
  RateLimitStoreLive.layer
).pipe(Layer.provideMerge(Layer.merge(Database.layer, EgressLive.layer)))
