import { HttpServerResponse } from "@effect/platform"
import { Effect, type Schema } from "effect"
import type { Change } from "../domain/capability/Surface.ts"

/** Answers a PUT: 201 when it made something, 200 otherwise. */
export const applied = <A extends { readonly change: typeof Change.Type }, I>(schema: Schema.Schema<A, I>) => {
  const created = HttpServerResponse.schemaJson(schema)
  return <E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.flatMap(self, (result) => Effect.orDie(created(result, { status: result.change === "created" ? 201 : 200 })))
}
