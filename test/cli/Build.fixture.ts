import { FetchHttpClient } from "@effect/platform"
import { Effect } from "effect"
import { make } from "../../src/client.ts"

const base_url = new URLSearchParams(location.search).get("service") ?? ""

/** What a front end would do: shows what the service says of itself. */
const program = make({ base_url }).pipe(
  Effect.flatMap(({ system }) => system.live()),
  Effect.match({
    onSuccess: ({ status }) => `alive: ${status}`,
    onFailure: (error) => `failed: ${error._tag}`
  }),
  Effect.tap((text) =>
    Effect.sync(() => {
      document.body.textContent = text
    })
  ),
  Effect.provide(FetchHttpClient.layer)
)

Effect.runFork(program)
