import { Either } from "effect"

/** Bytes of UTF-8, after normalisation: an S3 key has at most 1,024, of which the session's prefix takes about ninety. */
export const MAX_PATH_BYTES = 900
export const MAX_SEGMENT_BYTES = 255

const byteLength = (text: string) => Buffer.byteLength(text, "utf8")

const refusal = (path: string): string | undefined => {
  if (path === "") return "the path is empty"
  if (!path.isWellFormed()) return "the path is not valid Unicode"
  if (/\p{Cc}/u.test(path)) return "the path holds a control character"
  if (/^([/\\]|[A-Za-z]:[/\\])/.test(path)) return "the path is absolute"
  if (path.includes("\\")) return "the path holds a backslash; folders are separated by /"
  if (path.endsWith("/")) return "the path ends in a slash"
  if (byteLength(path) > MAX_PATH_BYTES) return `the path is longer than ${MAX_PATH_BYTES} bytes`
  for (const segment of path.split("/")) {
    if (segment === "") return "the path has an empty segment"
    if (segment === "." || segment === "..") return `the path has a "${segment}" segment`
    if (byteLength(segment) > MAX_SEGMENT_BYTES)
      return `a segment of the path is longer than ${MAX_SEGMENT_BYTES} bytes`
  }
  return undefined
}

/**
 * The relative path, in NFC and with forward slashes, under which a file of a bundle is kept; or the
 * reason why it cannot be one. Two paths that a case-insensitive file system would hold to be the
 * same are not noticed here.
 */
export const bundlePath = (raw: string): Either.Either<string, string> => {
  const path = raw.normalize("NFC")
  const reason = refusal(path)
  return reason === undefined ? Either.right(path) : Either.left(reason)
}

/** The last segment of a path. */
export const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1)

/** The lower-case ending of a path without its dot; empty where there is none. */
export const extensionOf = (path: string): string => {
  const name = baseName(path)
  const dot = name.lastIndexOf(".")
  return dot <= 0 ? "" : name.slice(dot + 1).toLowerCase()
}

const OCTET_STREAM = "application/octet-stream"

const contentTypes: ReadonlyMap<string, string> = new Map([
  ["json", "application/json"],
  ["har", "application/json"],
  ["harp", "application/json"],
  ["traj", "application/json"],
  ["jsonl", "application/x-ndjson"],
  ["ndjson", "application/x-ndjson"],
  ["png", "image/png"],
  ["jpg", "image/jpeg"],
  ["jpeg", "image/jpeg"],
  ["webp", "image/webp"],
  ["gif", "image/gif"],
  ["svg", "image/svg+xml"],
  ["html", "text/html"],
  ["htm", "text/html"],
  ["css", "text/css"],
  ["js", "text/javascript"],
  ["txt", "text/plain"],
  ["log", "text/plain"],
  ["md", "text/markdown"],
  ["csv", "text/csv"],
  ["xml", "application/xml"],
  ["pdf", "application/pdf"],
  ["webm", "video/webm"],
  ["mp4", "video/mp4"],
  ["zip", "application/zip"],
  ["gz", "application/gzip"],
  ["tgz", "application/gzip"],
  ["tar", "application/x-tar"],
  ["zst", "application/zstd"]
])

/** The media type that a path's ending stands for; `application/octet-stream` where it stands for none. */
export const contentTypeOf = (path: string): string => contentTypes.get(extensionOf(path)) ?? OCTET_STREAM
