import { Chunk, Effect, Option, Stream } from "effect"
import type { ExportFormat } from "../domain/example/Example.ts"
import type { Keyset as Position } from "../domain/Page.ts"
import { CurrentPrincipal, scope, withPolicy } from "../domain/Principal.ts"
import { ExampleObjects } from "./ExampleObjects.ts"
import { type ExampleFilter, ExamplesRepo, type Selection } from "./ExamplesRepo.ts"
import { exportLine } from "./pipeline/Export.ts"

type Exportable = Effect.Effect.Success<ReturnType<ExamplesRepo["exportable"]>>[number]

const rowsAtOnce = 200
const filesAtOnce = 8

const provenance = (example: Exportable) => ({
  example_id: example.id,
  session_id: example.session_id,
  suite_id: example.suite_id,
  action_tool_map_id: example.action_tool_map_id,
  map_version: example.map_version,
  model: example.model,
  confidence: example.confidence,
  review: example.review,
  range: example.range,
  content_hash: example.content_hash,
  duplicate_of: example.duplicate_of
})

/** Many examples as one file for training. */
export class ExampleExport extends Effect.Service<ExampleExport>()("example/ExampleExport", {
  dependencies: [ExamplesRepo.Default, ExampleObjects.Default],
  effect: Effect.gen(function* () {
    const repo = yield* ExamplesRepo
    const objects = yield* ExampleObjects

    const line = (format: ExportFormat) => (example: Exportable) =>
      format === "manifest"
        ? Effect.succeed(`${JSON.stringify(provenance(example))}\n`)
        : Effect.all([objects.messages(example.storage_path), objects.tools(example.storage_path)]).pipe(
            Effect.map(([messages, tools]) => exportLine(format, { messages, tools, provenance: provenance(example) })),
            // Deleted, or made anew, since the page of rows was read: the others go on without it.
            Effect.catchTag("ObjectNotFound", () => Effect.succeed(""))
          )

    /**
     * The lines of all completed examples that fit, newest first, without those that were rejected. Every
     * format has the same examples in the same order: a manifest tells of each line of the file beside it
     * where it came from.
     */
    const lines = Effect.fn("ExampleExport.lines")(
      function* (format: ExportFormat, filter: ExampleFilter, selection: Selection) {
        const principal = yield* CurrentPrincipal
        return Stream.paginateChunkEffect(undefined as Position | undefined, (position) =>
          Effect.map(repo.exportable(principal, filter, selection, position, rowsAtOnce), (rows) => {
            const last = rows.at(-1)
            const more = rows.length === rowsAtOnce && last !== undefined
            return [
              Chunk.unsafeFromArray([...rows]),
              more ? Option.some({ at: last.position_at, id: last.id }) : Option.none()
            ] as const
          })
        ).pipe(
          Stream.mapEffect(line(format), { concurrency: filesAtOnce }),
          Stream.filter((text) => text !== ""),
          Stream.encodeText
        )
      },
      withPolicy(scope("examples:read"))
    )

    return { lines } as const
  })
}) {}
