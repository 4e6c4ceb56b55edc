import { Effect, Schema } from "effect"
import { Actions } from "../../capability/Actions.ts"
import { Suites } from "../../capability/Suites.ts"
import { SearchText } from "../../domain/Page.ts"
import { Examples } from "../../example/Examples.ts"
import { Sessions } from "../../session/Sessions.ts"
import { fewShot } from "./FewShot.ts"
import { messagesTemplate, sessionTemplate } from "./Uris.ts"

/** One more than the protocol lets a server answer: that there are more is said, too. */
const most = 101
/** Actions of so many suites are looked through: somebody is typing. */
const suitesLookedAt = 20

type Of = { readonly prompt: string } | { readonly uriTemplate: string }

const isSearchable = Schema.is(SearchText.from)

const counts = Array.from({ length: 10 }, (_, index) => String(index + 1))

/** What an argument may be, by what of it is there already. */
export const makeCompletions = Effect.gen(function* () {
  const suites = yield* Suites
  const actions = yield* Actions
  const sessions = yield* Sessions
  const examples = yield* Examples

  const suiteNames = (q: string) =>
    Effect.map(suites.list({ q, limit: most }), ({ items }) => items.map(({ name }) => name))

  const actionNames = (q: string) =>
    Effect.gen(function* () {
      const { items } = yield* suites.list({ limit: suitesLookedAt })
      const pages = yield* Effect.forEach(items, ({ id }) =>
        // A suite that is deleted in this moment has none.
        Effect.catchTag(actions.list(id, { q, limit: most }), "NotFound", () => Effect.succeed({ items: [] }))
      )
      return [...new Set(pages.flatMap((page) => page.items.map(({ name }) => name)))].toSorted()
    })

  const newest = (items: ReadonlyArray<{ readonly id: string }>, value: string) =>
    items.map(({ id }) => id).filter((id) => id.startsWith(value.toLowerCase()))

  const sessionIds = (value: string) => Effect.map(sessions.list({ limit: most }), ({ items }) => newest(items, value))

  const exampleIds = (value: string) =>
    Effect.map(examples.list({ limit: most, status: "COMPLETED" }), ({ items }) => newest(items, value))

  /** Undefined: there is no such prompt or template. */
  const complete = (of: Of, { name, value }: { readonly name: string; readonly value: string }) =>
    Effect.gen(function* () {
      if ("uriTemplate" in of) {
        if (of.uriTemplate === sessionTemplate) return name === "id" ? yield* sessionIds(value) : []
        if (of.uriTemplate === messagesTemplate) return name === "id" ? yield* exampleIds(value) : []
        return undefined
      }
      if (of.prompt !== fewShot.name) return undefined
      switch (name) {
        case "action":
          return isSearchable(value) ? yield* actionNames(value) : []
        case "suite":
          return isSearchable(value) ? yield* suiteNames(value) : []
        case "k":
          return counts.filter((count) => count.startsWith(value))
        default:
          return []
      }
    }).pipe(
      Effect.map((values) => values?.slice(0, most)),
      // Who may not see them, or types what no name is, is offered none.
      Effect.catchTags({ Forbidden: () => Effect.succeed([]), BadRequest: () => Effect.succeed([]) })
    )

  return complete
})
