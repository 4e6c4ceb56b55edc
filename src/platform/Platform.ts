import { Layer } from "effect"
import * as Database from "./Database.ts"
import { Id } from "./Id.ts"
import * as Llm from "./Llm.ts"
import * as ObjectStoreLive from "./ObjectStoreLive.ts"

/** Everything from outside that the services need, as configured. */
export const layer = Layer.mergeAll(Database.layer, ObjectStoreLive.layer, Llm.layer, Id.layer)
