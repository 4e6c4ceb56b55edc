import { list, requestHeader, responseHeaders, type Transform } from "./Transform.ts"

const version = requestHeader("Tus-Resumable", "`1.0.0`", true)

const shared = { "Tus-Resumable": "`1.0.0`" }

const state = {
  ...shared,
  "Upload-Offset": "Bytes that are durable",
  "Upload-Expires": "When the upload goes away unless it is continued or used",
  "Tracepipe-Session-Id": "The session that the upload has become, if it has"
}

const bytes = (required: boolean) => ({
  required,
  content: { "application/offset+octet-stream": { schema: { type: "string", format: "binary" } } }
})

const checksum = requestHeader(
  "Upload-Checksum",
  "An algorithm (sha1, sha256, sha512, md5) and the digest of the body in base64: of a body with another one nothing is kept"
)

interface Additions {
  readonly parameters: ReadonlyArray<object>
  readonly body?: object
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
}

const adding =
  ({ parameters, body, status, headers }: Additions): Transform =>
  (operation) => {
    const responses = Object(operation["responses"])
    return {
      ...operation,
      parameters: [...list(operation["parameters"]), ...parameters],
      ...(body === undefined ? {} : { requestBody: body }),
      responses: { ...responses, [status]: { ...responses[status], headers: responseHeaders(headers) } }
    }
  }

export const tusOptions = adding({
  parameters: [],
  status: 204,
  headers: {
    ...shared,
    "Tus-Version": "`1.0.0`",
    "Tus-Extension": "The extensions of tus that are spoken here",
    "Tus-Max-Size": "The largest upload in bytes",
    "Tus-Checksum-Algorithm": "Algorithms for Upload-Checksum"
  }
})

export const tusCreation = adding({
  parameters: [
    version,
    requestHeader("Upload-Length", "Size in bytes; not for a final upload"),
    requestHeader(
      "Upload-Metadata",
      "Keys with values in base64: `filename`, `suite_id`, `description`, `metadata` (JSON), `format`, `create_session`; others are kept as they are"
    ),
    requestHeader("Upload-Concat", "`partial`, or `final;` and the URLs of finished partial uploads"),
    checksum
  ],
  body: bytes(false),
  status: 201,
  headers: { ...state, Location: "The path of the new upload" }
})

export const tusHead = adding({
  parameters: [version],
  status: 200,
  headers: {
    ...state,
    "Upload-Length": "Size in bytes",
    "Upload-Metadata": "As it was given",
    "Upload-Concat": "`partial`, or `final;` and the paths of the partial uploads"
  }
})

export const tusPatch = adding({
  parameters: [version, requestHeader("Upload-Offset", "Where the body goes on: the upload's offset", true), checksum],
  body: bytes(true),
  status: 204,
  headers: state
})

export const tusTermination = adding({ parameters: [version], status: 204, headers: shared })

export const partBody = adding({
  parameters: [],
  body: { required: true, content: { "application/octet-stream": { schema: { type: "string", format: "binary" } } } },
  status: 200,
  headers: { ETag: "The MD5 of the part, quoted" }
})
