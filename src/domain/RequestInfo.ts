import { Context } from "effect"

/** What a log line and an audit entry say about the request that caused them. */
export class RequestInfo extends Context.Reference<RequestInfo>()("domain/RequestInfo", {
  defaultValue: (): { readonly request_id: string; readonly ip: string | null } => ({
    request_id: "internal",
    ip: null
  })
}) {}
