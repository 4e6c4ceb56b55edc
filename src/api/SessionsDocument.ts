import { list, requestHeader, responseHeaders, type Transform } from "./Transform.ts"

const file = { type: "string", format: "binary" } as const

const form = {
  type: "object",
  properties: {
    suite_id: { type: "string", format: "uuid", description: "Needed unless the query names it" },
    description: { type: "string", maxLength: 10_000 },
    metadata: { type: "string", description: "A JSON object up to 64 KiB" },
    format: { type: "string", description: "Names the format instead of having it detected" },
    input_events: { ...file, description: "`input_events.jsonl`" },
    network_traffic: { ...file, description: "`network_traffic.jsonl`" },
    screenshots: { type: "array", items: file, description: "PNG files, or one zip of them" },
    bundle: { ...file, description: "One archive: zip, tar or tar.gz" }
  },
  additionalProperties: file
}

/** The forms of an upload's body. */
export const uploadBody: Transform = (operation) => {
  const responses = Object(operation["responses"])
  return {
    ...operation,
    parameters: [
      ...list(operation["parameters"]),
      {
        ...requestHeader("Idempotency-Key", "Makes the upload safe to send again; kept for a day"),
        schema: { type: "string", minLength: 1, maxLength: 255, pattern: "^[ -~]+$" }
      }
    ],
    requestBody: {
      required: true,
      content: {
        "multipart/form-data": { schema: form },
        "application/octet-stream": { schema: file },
        "application/json": { schema: { $ref: "#/components/schemas/CreateSession" } }
      }
    },
    responses: {
      ...responses,
      201: { ...responses[201], headers: responseHeaders({ Location: "The path of the new session" }) }
    }
  }
}

const bytes = {
  content: { "application/octet-stream": { schema: file }, "*/*": {} },
  headers: responseHeaders({
    ETag: "The SHA-256 of the whole file, quoted",
    "Accept-Ranges": "`bytes`",
    "Content-Disposition": "The file's name (RFC 6266)"
  })
}

/** A file's bytes: whole, a range of them, or nothing new. */
export const fileContent: Transform = (operation) => {
  const responses = Object(operation["responses"])
  return {
    ...operation,
    parameters: [
      ...list(operation["parameters"]),
      requestHeader("Range", "One range of bytes, such as `bytes=0-1023` or `bytes=-500`"),
      requestHeader("If-Range", "An ETag: the range holds only while the file still has it"),
      requestHeader("If-None-Match", "ETags, or `*`: a file that has one of them is not sent again")
    ],
    responses: {
      ...responses,
      200: { ...bytes, description: "The whole file, with its own content type" },
      206: {
        content: bytes.content,
        headers: { ...bytes.headers, ...responseHeaders({ "Content-Range": "`bytes <first>-<last>/<size>`" }) },
        description: "The range that was asked for"
      },
      304: { headers: bytes.headers, description: "The file is one of those that If-None-Match names" },
      416: { ...responses[416], headers: responseHeaders({ "Content-Range": "`bytes */<size>`" }) }
    }
  }
}

/** A timeline: many lines, each of them one event. */
export const timelineContent: Transform = (operation) => {
  const responses = Object(operation["responses"])
  return {
    ...operation,
    responses: {
      ...responses,
      200: {
        description: "One `TimelineEvent` per line",
        content: { "application/x-ndjson": { schema: { $ref: "#/components/schemas/TimelineEvent" } } }
      }
    }
  }
}
