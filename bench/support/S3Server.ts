import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3"
import { answering, freePort, start } from "./Children.ts"

/** An S3 server that somebody else wrote, and a bucket on it. */
export interface S3Server {
  readonly endpoint: string
  readonly access_key_id: string
  readonly secret_access_key: string
  readonly bucket: string
}

/** What the service needs to know to use it. */
export const environmentFor = (server: S3Server) => ({
  S3_ENDPOINT: server.endpoint,
  S3_BUCKET: server.bucket,
  S3_ACCESS_KEY_ID: server.access_key_id,
  S3_SECRET_ACCESS_KEY: server.secret_access_key
})

const started = async (folder: string) => {
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const root = join(folder, "s3")
  const log = join(folder, "s3.log")
  await mkdir(root)
  const keys = { access_key_id: "bench", secret_access_key: "only-for-the-bench" }
  const login = ["--access", keys.access_key_id, "--secret", keys.secret_access_key]
  const child = start(["versitygw", ...login, "--port", `127.0.0.1:${port}`, "--health", "/health", "posix", root], log)
  await answering(`${endpoint}/health`, child, log)
  return { ...keys, endpoint, stop: child.stop }
}

const given = (endpoint: string) => ({
  endpoint,
  access_key_id: process.env.TEST_S3_ACCESS_KEY_ID ?? "",
  secret_access_key: process.env.TEST_S3_SECRET_ACCESS_KEY ?? "",
  stop: async () => {}
})

/**
 * Works with the server at TEST_S3_ENDPOINT, or with `versitygw` from the PATH over a folder of the
 * same disk; undefined where there is neither.
 */
export const withS3Server = async <A>(
  folder: string,
  work: (server: S3Server | undefined) => Promise<A>
): Promise<A> => {
  const external = process.env.TEST_S3_ENDPOINT
  if (external === undefined && Bun.which("versitygw") === null) return work(undefined)
  const { stop, ...address } = external === undefined ? await started(folder) : given(external)
  try {
    const server = { ...address, bucket: `tracepipe-bench-${crypto.randomUUID()}` }
    const client = new S3Client({
      endpoint: server.endpoint,
      region: "us-east-1",
      forcePathStyle: true,
      credentials: { accessKeyId: server.access_key_id, secretAccessKey: server.secret_access_key }
    })
    await client.send(new CreateBucketCommand({ Bucket: server.bucket }))
    client.destroy()
    return await work(server)
  } finally {
    await stop()
  }
}

export const NO_S3_SERVER = "not run: no S3 server (set TEST_S3_ENDPOINT, or put versitygw into the PATH)"
