import { tmpdir } from "node:os"
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3"
import { Data, Duration, Effect, Fiber, Redacted, type Scope } from "effect"
import { type ObjectStoreError, ObjectStoreFull, ObjectStoreUnavailable } from "../ObjectStore.ts"
import { fetchHandler } from "./FetchHandler.ts"

export interface S3Options {
  readonly bucket: string
  /** Absent: Amazon's own for the region. */
  readonly endpoint?: string | undefined
  readonly region: string
  /** Absent: the AWS default chain (environment, profile, container or instance role). */
  readonly access_key_id?: string | undefined
  readonly secret_access_key?: Redacted.Redacted | undefined
  readonly force_path_style: boolean
  /** The most part buffers, of 8 MiB each, held at once by all uploads. */
  readonly part_buffers: number
  /** Bytes that no object exceeds; chooses the part size where the length is not known. */
  readonly largest_object: number
  /** The longest that one attempt of one request may take: a part has to go through in it. */
  readonly request_timeout: Duration.Duration
}

/** Tries of one request, the first included. */
const MAX_ATTEMPTS = 4

/** A request that failed for good. `code` is S3's error code or the name of the network's error. */
export class S3Failure extends Data.TaggedError("S3Failure")<{
  readonly operation: string
  readonly code: string
  readonly status: number | undefined
  readonly cause: unknown
}> {
  override get message() {
    return `S3 failed to ${this.operation}: ${this.code}${this.status === undefined ? "" : ` (${this.status})`}`
  }
}

const fullCodes = new Set([
  "InsufficientStorage",
  "QuotaExceeded",
  "XMinioStorageFull",
  "XMinioAdminBucketQuotaExceeded"
])

export const storeError = ({ operation, code, status, cause }: S3Failure): ObjectStoreError =>
  status === 507 || fullCodes.has(code)
    ? new ObjectStoreFull({ operation, cause })
    : new ObjectStoreUnavailable({ operation, cause })

const field = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined

const failure =
  (operation: string) =>
  (cause: unknown): S3Failure => {
    const status = field(field(cause, "$metadata"), "httpStatusCode")
    return new S3Failure({
      operation,
      cause,
      code: String(field(cause, "name")),
      status: typeof status === "number" ? status : undefined
    })
  }

/** The longest that {@link settled} holds up an interruption. */
const SETTLE_LIMIT = Duration.seconds(15)

/** Runs requests to their end even if the caller is interrupted or being closed, within a limit of time. */
export const settled = <A, E>(operation: string, requests: Effect.Effect<A, E>): Effect.Effect<A, E | S3Failure> =>
  requests.pipe(
    Effect.interruptible,
    Effect.timeoutFail({
      duration: SETTLE_LIMIT,
      onTimeout: () => new S3Failure({ operation, code: "TimeoutError", status: undefined, cause: "no answer in time" })
    }),
    // A fiber of its own, for one that is being interrupted could not be timed.
    Effect.forkDaemon,
    Effect.flatMap(Fiber.join),
    Effect.uninterruptible
  )

export interface SendOptions {
  readonly abortSignal: AbortSignal
}

export interface S3Api {
  readonly bucket: string
  readonly request_timeout: Duration.Duration
  readonly largest_object: number
  /** Whether what is sent has to be signed too: TLS guards it already. */
  readonly signs_payload: boolean
  /** Sends a command, with retries; interruption aborts the request. */
  readonly send: <A>(
    operation: string,
    command: (client: S3Client, options: SendOptions) => Promise<A>
  ) => Effect.Effect<A, S3Failure>
}

const clientConfig = (options: S3Options): S3ClientConfig => ({
  region: options.region,
  forcePathStyle: options.force_path_style,
  ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
  ...(options.access_key_id === undefined || options.secret_access_key === undefined
    ? {}
    : {
        credentials: {
          accessKeyId: options.access_key_id,
          secretAccessKey: Redacted.value(options.secret_access_key)
        }
      }),
  maxAttempts: MAX_ATTEMPTS,
  retryMode: "standard",
  // The checksums that newer SDKs add by default are refused by many S3-compatible servers.
  requestChecksumCalculation: "WHEN_REQUIRED",
  responseChecksumValidation: "WHEN_REQUIRED",
  expectContinueHeader: false,
  requestHandler: fetchHandler(Duration.toMillis(options.request_timeout))
})

/** A container's user may have no home, and the SDK fails when it looks there for its optional files. */
const withHome = () => {
  process.env.HOME ??= tmpdir()
}

/** A client that lives as long as the scope. */
export const makeS3Api = (options: S3Options): Effect.Effect<S3Api, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        withHome()
        return new S3Client(clientConfig(options))
      }),
      (client) => Effect.sync(() => client.destroy())
    ),
    (client) => ({
      bucket: options.bucket,
      request_timeout: options.request_timeout,
      largest_object: options.largest_object,
      signs_payload: options.endpoint?.startsWith("http:") ?? false,
      send: (operation, command) =>
        Effect.tryPromise({ try: (abortSignal) => command(client, { abortSignal }), catch: failure(operation) })
    })
  )
