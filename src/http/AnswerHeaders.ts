import { Context } from "effect"

/** Header fields that what happens on the way adds to the answer, whether it is a success or a failure. */
export class AnswerHeaders extends Context.Reference<AnswerHeaders>()("http/AnswerHeaders", {
  defaultValue: (): Record<string, string> => ({})
}) {}
