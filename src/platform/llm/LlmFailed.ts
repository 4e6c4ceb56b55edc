import type { AiError, HttpRequestError } from "@effect/ai/AiError"
import { ParseResult, Schema } from "effect"
import { EgressFailed, EgressRefused } from "../Egress.ts"

/** Tokens that a provider counted. */
export interface LlmUsage {
  readonly tokens_in: number
  readonly tokens_out: number
}

export const noUsage: LlmUsage = { tokens_in: 0, tokens_out: 0 }

/** A model gave no answer that can be used; the code is for programs, the message says what to do. */
export class LlmFailed extends Schema.TaggedError<LlmFailed>("platform/LlmFailed")("LlmFailed", {
  code: Schema.Literal(
    "provider_not_configured",
    "provider_refused_key",
    "provider_rate_limited",
    "provider_quota_exceeded",
    "provider_unavailable",
    "provider_unknown_model",
    "provider_rejected_request",
    "invalid_model_output"
  ),
  detail: Schema.String,
  /** What is wrong with the output, for the model to mend. */
  fault: Schema.optionalWith(Schema.String, { exact: true }),
  /** True when the same request may succeed in a moment. */
  transient: Schema.Boolean,
  retry_after_ms: Schema.optionalWith(Schema.Number, { exact: true }),
  /** What the failed call used all the same. */
  usage: Schema.Struct({ tokens_in: Schema.Number, tokens_out: Schema.Number })
}) {
  override get message() {
    return this.detail
  }
}

const permanent = (code: LlmFailed["code"], detail: string) =>
  new LlmFailed({ code, detail, transient: false, usage: noUsage })

export const notConfigured = (detail: string) => permanent("provider_not_configured", detail)

export const invalidOutput = (fault: string) =>
  new LlmFailed({
    code: "invalid_model_output",
    detail: `the model's answer cannot be used (${fault}): retry, or choose a model that keeps to a JSON schema`,
    fault,
    transient: false,
    usage: noUsage
  })

/** The answer was longer than it may be. */
export const cutOff = new LlmFailed({
  code: "invalid_model_output",
  detail:
    "the model's answer was cut off at its limit: raise max_tokens in the example's model_configuration, or make examples of shorter ranges",
  transient: false,
  usage: noUsage
})

/** The provider's own filter took the answer out. */
export const filtered = new LlmFailed({
  code: "invalid_model_output",
  detail: "the provider's content filter withheld the answer: choose another model or range",
  transient: false,
  usage: noUsage
})

const MAX_TOLD = 600

const shortened = (text: string) => (text.length > MAX_TOLD ? `${text.slice(0, MAX_TOLD).toWellFormed()}…` : text)

/** The failure with what its call used; what providers say may repeat the key, which is taken out. */
export const told = (failure: LlmFailed, usage: LlmUsage, key: string | undefined) => {
  const { code, detail, fault, transient, retry_after_ms } = failure
  const clean = (text: string) => shortened(key === undefined ? text : text.replaceAll(key, "[redacted]"))
  return new LlmFailed({
    code,
    detail: clean(detail),
    transient,
    ...(fault === undefined ? {} : { fault: clean(fault) }),
    ...(retry_after_ms === undefined ? {} : { retry_after_ms }),
    usage
  })
}

export const unavailable = (why: string, retry_after_ms?: number) =>
  new LlmFailed({
    code: "provider_unavailable",
    detail: `the provider ${why}: retry later, or choose another model`,
    transient: true,
    ...(retry_after_ms === undefined ? {} : { retry_after_ms }),
    usage: noUsage
  })

/** Milliseconds that a `Retry-After` header asks for: seconds or a date (RFC 9110), or OpenAI's milliseconds. */
export const retryAfter = (
  headers: Readonly<Record<string, string | undefined>>,
  now: number = Date.now()
): number | undefined => {
  const millis = Number(headers["retry-after-ms"] ?? Number.NaN)
  if (Number.isFinite(millis)) return Math.max(0, millis)
  const text = headers["retry-after"]?.trim()
  if (text === undefined || text === "") return undefined
  const at = /^\d+(\.\d+)?$/.test(text) ? now + Number(text) * 1000 : Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

/** Cut later, once the key was taken out: a part of it would not be found. */
const bounded = (text: string) => (text.length > 2000 ? `${text.slice(0, 2000).toWellFormed()}…` : text)

/** What a provider's error body says, in whatever shape. */
const said = (body: string | undefined): string => {
  const found = /"message"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(body ?? "")
  const text = found?.[1] ?? body ?? ""
  return text.trim() === "" || text === "undefined" ? "" : ` and says ${JSON.stringify(bounded(text.trim()))}`
}

const ofStatus = (model: string, status: number, headers: Readonly<Record<string, string>>, body?: string) => {
  if (status === 401 || status === 403) {
    // Its body may repeat the key.
    return permanent(
      "provider_refused_key",
      `the provider answers ${status} to the key: give the service one that may use ${model}, and retry`
    )
  }
  if (status === 404) {
    return permanent(
      "provider_unknown_model",
      `the provider answers 404 for ${model}: correct the model's name or base_url and make a new example`
    )
  }
  const wait = retryAfter(headers)
  if (status === 429 && /insufficient_quota|credit balance/i.test(body ?? "")) {
    return permanent(
      "provider_quota_exceeded",
      `the account at the provider has no quota left for ${model}: top it up and retry`
    )
  }
  if (status === 429) {
    return new LlmFailed({
      code: "provider_rate_limited",
      detail: `the provider limits the rate for ${model}${wait === undefined ? "" : ` and asks to wait ${Math.ceil(wait / 1000)} s`}: retry later, or raise the limit at the provider`,
      transient: true,
      ...(wait === undefined ? {} : { retry_after_ms: wait }),
      usage: noUsage
    })
  }
  if (status >= 500 || status === 408 || status === 409 || status === 425) {
    return unavailable(`answers ${status}${said(body)}`, wait)
  }
  return permanent(
    "provider_rejected_request",
    `the provider answers ${status} for ${model}${said(body)}: correct the model's context_window, or the example's model_configuration`
  )
}

/** What the connection says: beneath the library's error is its client's, and beneath that fetch's. */
const reasonOf = ({ description, reason, cause }: HttpRequestError): string => {
  const beneath = cause instanceof Error ? cause.cause : undefined
  if (beneath instanceof EgressFailed) return beneath.reason
  return description ?? (beneath instanceof Error ? beneath.message : reason)
}

/** What a failure of the library means for who waits for the answer. */
export const fromAiError = (model: string, error: AiError): LlmFailed => {
  switch (error._tag) {
    case "HttpResponseError":
      return error.reason === "StatusCode"
        ? ofStatus(model, error.response.status, error.response.headers, error.body)
        : invalidOutput(error.description ?? "it is no JSON of the provider's protocol")
    case "HttpRequestError":
      return error.cause instanceof Error && error.cause.cause instanceof EgressRefused
        ? notConfigured(error.cause.cause.message)
        : unavailable(`cannot be reached or broke off (${bounded(reasonOf(error))})`)
    case "MalformedInput":
      return permanent("provider_rejected_request", bounded(error.description ?? "the request cannot be written"))
    case "MalformedOutput":
      return invalidOutput(bounded(causeOf(error.cause) ?? error.description ?? "it does not fit its schema"))
    case "UnknownError":
      return unavailable(`failed (${bounded(error.description ?? "no reason given")})`)
  }
}

/** Where an output does not fit its schema, and how. */
const causeOf = (cause: unknown): string | undefined =>
  ParseResult.isParseError(cause)
    ? ParseResult.ArrayFormatter.formatErrorSync(cause)
        .slice(0, 3)
        .map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`))
        .join("; ")
    : undefined
