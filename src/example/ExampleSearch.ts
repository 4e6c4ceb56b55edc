import { Effect } from "effect"
import type { FindExamples } from "../domain/example/FoundExample.ts"
import { CurrentPrincipal, scope, withPolicy } from "../domain/Principal.ts"
import * as Keyset from "../platform/Keyset.ts"
import { ExampleSearchRepo } from "./ExampleSearchRepo.ts"

/** Finds examples that show how something is done, for a model to learn it from. */
export class ExampleSearch extends Effect.Service<ExampleSearch>()("example/ExampleSearch", {
  dependencies: [ExampleSearchRepo.Default],
  effect: Effect.gen(function* () {
    const repo = yield* ExampleSearchRepo

    /**
     * Completed examples, best first; without words the newest first. Those that a reviewer rejected, and
     * others that say the same as an earlier one, are left out.
     */
    const find = Effect.fn("ExampleSearch.find")(
      function* (query: FindExamples) {
        const keyset = yield* Keyset.position(query.cursor)
        return Keyset.page(yield* repo.find(yield* CurrentPrincipal, query, keyset), query.limit)
      },
      withPolicy(scope("examples:read"))
    )

    return { find } as const
  })
}) {}
