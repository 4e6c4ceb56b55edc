import { Effect } from "effect"
import { Unavailable } from "../domain/Errors.ts"
import type { ObjectStoreFull, ObjectStoreUnavailable } from "../platform/ObjectStore.ts"

/** What a caller is told when the store has no room; the reason goes to the log. */
export const storeFull = (error: ObjectStoreFull) =>
  Effect.zipRight(
    Effect.logWarning(error.message, error.cause),
    new Unavailable({ detail: "the object store is full", retry_after_s: 60 })
  )

/** What a caller is told when the store does not answer; the reason goes to the log. */
export const storeAway = (error: ObjectStoreUnavailable) =>
  Effect.zipRight(
    Effect.logWarning(error.message, error.cause),
    new Unavailable({ detail: "the object store does not answer now; try again", retry_after_s: 5 })
  )
