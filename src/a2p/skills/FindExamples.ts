import { Effect, Schema } from "effect"
import { FindExamples, FoundExample } from "../../domain/example/FoundExample.ts"
import { Page } from "../../domain/Page.ts"
import { ExampleSearch } from "../../example/ExampleSearch.ts"
import { declare } from "../Skill.ts"
import { paging } from "./Paging.ts"

const { card, implement } = declare({
  id: "find_examples",
  name: "Find examples",
  description:
    "Finds completed examples that show how something is done, by suite, action, tool or words, best first: what to learn from before doing it.",
  tags: ["examples", "few-shot", "search"],
  examples: ['{"skill":"find_examples","input":{"q":"add a customer","limit":3}}'],
  scopes: ["examples:read"],
  input: Schema.Struct({ ...FindExamples.fields, ...paging }),
  output: Page("FoundExamplePage", FoundExample)
})

export { card }

/** Searches as the API does, on behalf of the caller. */
export const findExamples = Effect.map(ExampleSearch, (search) => implement({ run: (query) => search.find(query) }))
