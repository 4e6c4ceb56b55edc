import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { Batches } from "../example/Batches.ts"

export const layer = HttpApiBuilder.group(Api, "jobs", (handlers) =>
  Effect.gen(function* () {
    const batches = yield* Batches
    return handlers
      .handle("get", ({ path }) => batches.get(path.id))
      .handle("cancel", ({ path }) => batches.cancel(path.id))
  })
)
