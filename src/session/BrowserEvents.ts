const MAX_TYPE_CHARACTERS = 64

const isoTime = /^\d{4}-\d\d-\d\d([T ]|$)/

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const timestampProblem = (value: unknown): string | undefined => {
  if (value === undefined || value === null) return "timestamp is missing"
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return undefined
  if (typeof value === "string" && isoTime.test(value) && !Number.isNaN(Date.parse(value))) return undefined
  return "timestamp is neither an ISO 8601 time nor milliseconds since 1970"
}

const textProblem = (name: string, value: unknown): string | undefined => {
  if (value === undefined || value === null) return `${name} is missing`
  return typeof value === "string" && value !== "" ? undefined : `${name} is not a non-empty string`
}

/** What a line of `input_events.jsonl` lacks: `timestamp` (ISO 8601 or milliseconds) and `type` (1 to 64 characters). */
export const requireInputEvent = (value: unknown): string | undefined => {
  if (!isRecord(value)) return "the line is not an object"
  const problem = timestampProblem(value.timestamp) ?? textProblem("type", value.type)
  if (problem !== undefined) return problem
  return String(value.type).length > MAX_TYPE_CHARACTERS
    ? `type is longer than ${MAX_TYPE_CHARACTERS} characters`
    : undefined
}

/** What a line of `network_traffic.jsonl` lacks: `timestamp`, `method`, `url`, and a `status` that is a number or none. */
export const requireNetworkEvent = (value: unknown): string | undefined => {
  if (!isRecord(value)) return "the line is not an object"
  const problem =
    timestampProblem(value.timestamp) ?? textProblem("method", value.method) ?? textProblem("url", value.url)
  if (problem !== undefined) return problem
  const status = value.status
  return status === undefined || status === null || typeof status === "number" ? undefined : "status is not a number"
}
