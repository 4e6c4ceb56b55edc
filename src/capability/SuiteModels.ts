import { Effect } from "effect"
import type { CreateSuite } from "../domain/capability/Suite.ts"
import { modelNotFound } from "../domain/example/Model.ts"
import { CurrentPrincipal } from "../domain/Principal.ts"
import { SuitesRepo } from "./SuitesRepo.ts"

/** The models that suites name for what their sessions become. */
export class SuiteModels extends Effect.Service<SuiteModels>()("capability/SuiteModels", {
  dependencies: [SuitesRepo.Default],
  effect: Effect.gen(function* () {
    const repo = yield* SuitesRepo

    /** Fails where a model is named that the caller's organization does not have. */
    const assertUsable = (on_upload: CreateSuite["on_upload"] | undefined) =>
      Effect.gen(function* () {
        if (on_upload === undefined || on_upload === null) return
        const { org_id } = yield* CurrentPrincipal
        if (!(yield* repo.modelExists(org_id, on_upload.model_id))) return yield* modelNotFound(on_upload.model_id)
      })

    return { assertUsable } as const
  })
}) {}
