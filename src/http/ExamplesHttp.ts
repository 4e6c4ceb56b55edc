import { HttpApiBuilder, HttpServerResponse } from "@effect/platform"
import { Effect, type Stream } from "effect"
import { Api } from "../api/Api.ts"
import { ExamplePage } from "../api/ExamplesApi.ts"
import type { Unavailable } from "../domain/Errors.ts"
import { Batches } from "../example/Batches.ts"
import { ExampleExport } from "../example/ExampleExport.ts"
import { ExampleSearch } from "../example/ExampleSearch.ts"
import { Examples } from "../example/Examples.ts"
import { idempotencyKey } from "../session/Upload.ts"
import { answered } from "./Answered.ts"

const jsonLines = (bytes: Uint8Array | Stream.Stream<Uint8Array, Unavailable>) =>
  bytes instanceof Uint8Array
    ? HttpServerResponse.uint8Array(bytes, { contentType: "application/x-ndjson" })
    : HttpServerResponse.stream(bytes, { contentType: "application/x-ndjson" })

export const layer = HttpApiBuilder.group(Api, "examples", (handlers) =>
  Effect.gen(function* () {
    const examples = yield* Examples
    const batches = yield* Batches
    const exports = yield* ExampleExport
    const search = yield* ExampleSearch
    return handlers
      .handle("create", ({ payload }) => examples.create(payload))
      .handle("batch", ({ payload, request }) =>
        Effect.flatMap(idempotencyKey(request.headers), (key) => batches.create(payload, key))
      )
      .handleRaw("list", ({ urlParams }) => Effect.map(examples.list(urlParams), answered(ExamplePage)))
      .handleRaw("export", ({ urlParams: { format, dedupe, split, ...filter } }) =>
        Effect.map(exports.lines(format, filter, { dedupe, split }), jsonLines)
      )
      .handle("search", ({ urlParams }) => search.find(urlParams))
      .handle("get", ({ path }) => examples.get(path.id))
      .handle("delete", ({ path }) => examples.delete(path.id))
      .handleRaw("messages", ({ path }) => Effect.map(examples.messages(path.id), jsonLines))
      .handle("review", ({ path, payload }) => examples.review(path.id, payload))
      .handle("retry", ({ path }) => examples.retry(path.id))
      .handle("cancel", ({ path }) => examples.cancel(path.id))
  })
)
