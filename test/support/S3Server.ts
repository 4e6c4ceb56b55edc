import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  ListObjectsV2Command,
  S3Client
} from "@aws-sdk/client-s3"
import { Effect, Redacted } from "effect"
import type { S3Options } from "../../src/platform/s3/S3Api.ts"

/** An S3 server that somebody else wrote. */
export interface S3Server {
  readonly endpoint: string
  readonly access_key_id: string
  readonly secret_access_key: Redacted.Redacted
  /** False where ListMultipartUploads is missing: what needs it runs against TEST_S3_ENDPOINT only. */
  readonly lists_uploads: boolean
}

/** Why tests that look at open uploads are skipped on the server that the suite starts. */
export const NO_UPLOAD_LISTING = "fauxqs has no ListMultipartUploads: set TEST_S3_ENDPOINT"

const external = process.env.TEST_S3_ENDPOINT

/** What is true of the server before it is started. */
export const listsUploads = external !== undefined

// A process of its own: its memory is not the memory that the tests measure. It ends with its
// standard input, so that it does not outlive a suite that is killed.
const startChild = Effect.acquireRelease(
  Effect.promise(async () => {
    const child = Bun.spawn([process.execPath, new URL(import.meta.url).pathname], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit"
    })
    const { value } = await child.stdout.getReader().read()
    return { child, endpoint: new TextDecoder().decode(value).trim() }
  }),
  ({ child }) =>
    Effect.promise(async () => {
      child.kill()
      await child.exited
    })
)

/** The server at TEST_S3_ENDPOINT, or one from npm that lives as long as the scope. */
export const s3Server = Effect.gen(function* () {
  if (external === undefined) {
    const { endpoint } = yield* startChild
    const secret_access_key = Redacted.make("any")
    return { endpoint, access_key_id: "any", secret_access_key, lists_uploads: false } satisfies S3Server
  }
  return {
    endpoint: external,
    access_key_id: process.env.TEST_S3_ACCESS_KEY_ID ?? "",
    secret_access_key: Redacted.make(process.env.TEST_S3_SECRET_ACCESS_KEY ?? ""),
    lists_uploads: true
  } satisfies S3Server
})

const plainClient = (server: S3Server) =>
  new S3Client({
    endpoint: server.endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: {
      accessKeyId: server.access_key_id,
      secretAccessKey: Redacted.value(server.secret_access_key)
    }
  })

const empty = async (client: S3Client, Bucket: string): Promise<void> => {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }))
  if (Contents.length === 0) return
  await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: Contents.map(({ Key }) => ({ Key })) } }))
  return empty(client, Bucket)
}

/** A new bucket, which goes away with the scope. */
export const freshBucket = (server: S3Server) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const Bucket = `tracepipe-test-${crypto.randomUUID()}`
      await plainClient(server).send(new CreateBucketCommand({ Bucket }))
      return Bucket
    }),
    (Bucket) =>
      Effect.promise(async () => {
        const client = plainClient(server)
        await empty(client, Bucket)
        await client.send(new DeleteBucketCommand({ Bucket }))
      })
  )

/** How the store reaches a bucket of the server. */
export const optionsFor = (server: S3Server, bucket: string): Omit<S3Options, "part_buffers" | "request_timeout"> => ({
  bucket,
  endpoint: server.endpoint,
  region: "us-east-1",
  access_key_id: server.access_key_id,
  secret_access_key: server.secret_access_key,
  force_path_style: true,
  largest_object: 10 * 1024 ** 3
})

if (import.meta.main) {
  const { buildApp } = await import("fauxqs")
  const app = buildApp({ logger: false })
  // Its limit of 11 MiB is below our parts of 16.
  app.removeContentTypeParser("*")
  const whole = (_request: unknown, body: unknown, done: (error: null, body: unknown) => void) => done(null, body)
  app.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: 64 * 1024 * 1024 }, whole)
  await app.listen({ host: "127.0.0.1", port: 0 })
  const address = app.server.address()
  console.log(`http://127.0.0.1:${typeof address === "object" ? address?.port : address}`)
  process.stdin.on("end", () => process.exit()).resume()
}
