import { Context } from "effect"
import type { Principal } from "./Principal.ts"

interface Info {
  readonly request_id: string
  readonly ip: string | null
  /** Who asks, from authentication on. */
  caller?: Principal
}

/** What a log line and an audit entry say about the request that caused them. */
export class RequestInfo extends Context.Reference<RequestInfo>()("domain/RequestInfo", {
  defaultValue: (): Info => ({
    request_id: "internal",
    ip: null
  })
}) {}
