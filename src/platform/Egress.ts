import { Context, type Effect, Schema } from "effect"

/** The address is one that this service does not send requests to. */
export class EgressRefused extends Schema.TaggedError<EgressRefused>("platform/EgressRefused")("EgressRefused", {
  url: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.url} is not allowed: ${this.reason}`
  }
}

/** The request was sent, or could have been, and no whole answer came. */
export class EgressFailed extends Schema.TaggedError<EgressFailed>("platform/EgressFailed")("EgressFailed", {
  url: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.url} does not answer: ${this.reason}`
  }
}

export interface EgressOptions {
  /** Hosts that the operator's own configuration names for this purpose: allowed wherever they are. `host` or `host:port`. */
  readonly operator_hosts?: ReadonlyArray<string>
  /** Any host is allowed as long as its addresses are public (an endpoint that a configured issuer's metadata names). */
  readonly any_public_host?: boolean
  /** From the request to the end of the answer; default 10 s. */
  readonly timeout_ms?: number
  /** Largest answer in bytes; default 1 MiB. */
  readonly max_bytes?: number
  /** The answer is there with its headers, and its body as it comes; the limits hold while it is read. */
  readonly streamed?: boolean
  /** Redirects that are followed, each checked as the first address was; default 3. */
  readonly max_redirects?: number
}

/** The one way out: every request whose address somebody chose goes through here. */
export class Egress extends Context.Tag("platform/Egress")<
  Egress,
  {
    readonly request: (
      url: string | URL,
      init?: RequestInit,
      options?: EgressOptions
    ) => Effect.Effect<Response, EgressRefused | EgressFailed>
    /** Whether a request could go there now: for an address that is kept, to tell at once what is wrong with it. */
    readonly check: (url: string | URL, options?: EgressOptions) => Effect.Effect<void, EgressRefused | EgressFailed>
    /** The same as `request` in the form of `fetch`, for libraries that take one. It rejects with the errors of `request`. */
    readonly fetch: (options?: EgressOptions) => (url: string | URL, init?: RequestInit) => Promise<Response>
  }
>() {}
