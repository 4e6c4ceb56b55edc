import { Schema } from "effect"

/** An example cannot be made; the code is for programs, the message says what to do. */
export class StageFailed extends Schema.TaggedError<StageFailed>("example/StageFailed")("StageFailed", {
  code: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}
