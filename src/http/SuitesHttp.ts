import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { SuiteSurfaces } from "../capability/SuiteSurfaces.ts"
import { Suites } from "../capability/Suites.ts"
import { AppliedSuite } from "../domain/capability/Surface.ts"
import { applied } from "./Applied.ts"

export const layer = HttpApiBuilder.group(Api, "suites", (handlers) =>
  Effect.gen(function* () {
    const suites = yield* Suites
    const surfaces = yield* SuiteSurfaces
    return handlers
      .handle("create", ({ payload }) => suites.create(payload))
      .handle("put", ({ payload }) => applied(AppliedSuite)(surfaces.put(payload)))
      .handle("list", ({ urlParams }) => suites.list(urlParams))
      .handle("get", ({ path }) => suites.get(path.id))
      .handle("update", ({ path, payload }) => suites.update(path.id, payload))
      .handle("delete", ({ path }) => suites.delete(path.id))
  })
)
