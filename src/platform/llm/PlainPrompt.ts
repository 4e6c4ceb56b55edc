import * as AiError from "@effect/ai/AiError"
import type { Prompt } from "@effect/ai/Prompt"
import type { HttpClientError } from "@effect/platform"
import type { ParseResult } from "effect"

interface PlainMessage {
  readonly role: "user" | "assistant"
  readonly content: string
}

/** A prompt as text, which is all that the providers of our own are given. */
export const plainPrompt = (
  prompt: Prompt
): { readonly system: string; readonly messages: ReadonlyArray<PlainMessage> } => {
  const system: Array<string> = []
  const messages: Array<PlainMessage> = []
  for (const message of prompt.content) {
    if (message.role === "system") system.push(message.content)
    else if (message.role !== "tool") {
      const texts = message.content.flatMap((part) => (part.type === "text" ? [part.text] : []))
      messages.push({ role: message.role, content: texts.join("\n") })
    }
  }
  return { system: system.join("\n\n"), messages }
}

/** The providers of our own answer whole. */
export const wholeOnly = (module: string) =>
  new AiError.MalformedInput({ module, method: "streamText", description: "this provider does not stream" })

/** A client's failures as the library tells them. */
export const failures = (module: string) => {
  const method = "generateText"
  return {
    RequestError: (error: HttpClientError.RequestError) =>
      AiError.HttpRequestError.fromRequestError({ module, method, error }),
    ResponseError: (error: HttpClientError.ResponseError) =>
      AiError.HttpResponseError.fromResponseError({ module, method, error }),
    ParseError: (error: ParseResult.ParseError) => AiError.MalformedOutput.fromParseError({ module, method, error })
  }
}
