import { Schema } from "effect"
import { problem } from "./Problem.ts"

/** One thing that is wrong with a request, and where. */
export class Issue extends Schema.Class<Issue>("ProblemIssue")({
  path: Schema.String.annotations({
    description: "A dotted path into the body, a parameter's name, or `file:line` of an uploaded file"
  }),
  message: Schema.String
}) {}

/** The request cannot be parsed: JSON, query, cursor, header or multipart. */
export class BadRequest extends Schema.TaggedError<BadRequest>("BadRequest")(
  "BadRequest",
  { detail: Schema.String, errors: Schema.optionalWith(Schema.Array(Issue), { exact: true }) },
  problem(400, "bad_request", "The request cannot be parsed")
) {
  override get message() {
    return this.detail
  }
}

/** The request parses and is not valid. */
export class ValidationError extends Schema.TaggedError<ValidationError>("ValidationError")(
  "ValidationError",
  { detail: Schema.String, errors: Schema.optionalWith(Schema.Array(Issue), { exact: true }) },
  problem(422, "validation_error", "The request is not valid")
) {
  override get message() {
    return this.detail
  }
}

export class Unauthorized extends Schema.TaggedError<Unauthorized>("Unauthorized")(
  "Unauthorized",
  { detail: Schema.String },
  problem(401, "unauthorized", "A valid credential is needed")
) {
  override get message() {
    return this.detail
  }
}

export class Forbidden extends Schema.TaggedError<Forbidden>("Forbidden")(
  "Forbidden",
  { detail: Schema.String },
  problem(403, "forbidden", "The credential does not allow this")
) {
  override get message() {
    return this.detail
  }
}

/** No such resource, or one of another organization: the two are never told apart. */
export class NotFound extends Schema.TaggedError<NotFound>("NotFound")(
  "NotFound",
  { detail: Schema.String },
  problem(404, "not_found", "There is no such resource")
) {
  override get message() {
    return this.detail
  }
}

export class MethodNotAllowed extends Schema.TaggedError<MethodNotAllowed>("MethodNotAllowed")(
  "MethodNotAllowed",
  { detail: Schema.String, allow: Schema.Array(Schema.String) },
  problem(405, "method_not_allowed", "The resource does not know this method")
) {
  override get message() {
    return this.detail
  }
}

/** The body stopped coming before it was whole. */
export class RequestTimeout extends Schema.TaggedError<RequestTimeout>("RequestTimeout")(
  "RequestTimeout",
  { detail: Schema.String },
  problem(408, "request_timeout", "The request stopped")
) {
  override get message() {
    return this.detail
  }
}

/** A limit on the size of a body, a field, a file or a count was reached. */
export class PayloadTooLarge extends Schema.TaggedError<PayloadTooLarge>("PayloadTooLarge")(
  "PayloadTooLarge",
  { detail: Schema.String, limit: Schema.Number },
  problem(413, "payload_too_large", "The request is larger than its limit")
) {
  override get message() {
    return this.detail
  }
}

/** The body is of a type that the endpoint does not read. */
export class UnsupportedMediaType extends Schema.TaggedError<UnsupportedMediaType>("UnsupportedMediaType")(
  "UnsupportedMediaType",
  { detail: Schema.String },
  problem(415, "unsupported_media_type", "The body is of a type that is not read here")
) {
  override get message() {
    return this.detail
  }
}

/** A rate limit or a quota was reached; the request may be sent again when there is room. */
export class RateLimited extends Schema.TaggedError<RateLimited>("RateLimited")(
  "RateLimited",
  {
    detail: Schema.String,
    limit: Schema.String.annotations({
      description:
        "Which one: `key`, `user`, `organization`, `ip`, `sessions`, `keys`, `authentication`, or `quota:<kind>/<window>`"
    }),
    retry_after_s: Schema.Number.annotations({ description: "Seconds until it is worth trying again" })
  },
  problem(429, "rate_limited", "Too many requests")
) {
  override get message() {
    return this.detail
  }
}

/** Something the service depends on does not answer; the request may be sent again. */
export class Unavailable extends Schema.TaggedError<Unavailable>("Unavailable")(
  "Unavailable",
  { detail: Schema.String, retry_after_s: Schema.Number },
  problem(503, "unavailable", "The service cannot answer now")
) {
  override get message() {
    return this.detail
  }
}

/** A fault of the service itself. The body never says more than the request id. */
export class InternalError extends Schema.TaggedError<InternalError>("InternalError")(
  "InternalError",
  { detail: Schema.String },
  problem(500, "internal_error", "The service failed")
) {
  override get message() {
    return this.detail
  }
}

/** A server that the service asked on the caller's behalf refused, failed or did not answer. */
export class UpstreamFailed extends Schema.TaggedError<UpstreamFailed>("UpstreamFailed")(
  "UpstreamFailed",
  { detail: Schema.String },
  problem(502, "upstream_error", "A server behind this one failed")
) {
  override get message() {
    return this.detail
  }
}
