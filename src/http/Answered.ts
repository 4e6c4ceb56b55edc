import { HttpServerResponse } from "@effect/platform"
import type { Schema } from "effect"

/**
 * Answers a value that is in its encoded form already, as pages of rows are: to encode each row anew
 * would cost more than all else. The value must hold nothing that its schema does not name.
 */
export const answered =
  <A, I>(_schema: Schema.Schema<A, I>) =>
  (value: I): HttpServerResponse.HttpServerResponse =>
    HttpServerResponse.unsafeJson(value)
