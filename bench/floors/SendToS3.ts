// The floor of `upload` to S3: the bare client, one multipart upload, parts from memory, four at once.
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  S3Client,
  UploadPartCommand
} from "@aws-sdk/client-s3"
import type { S3Server } from "../support/S3Server.ts"

const PART = 16 * 1024 ** 2
const AT_ONCE = 4

const { server, bytes }: { readonly server: S3Server; readonly bytes: number } = JSON.parse(process.argv[2] ?? "{}")
const client = new S3Client({
  endpoint: server.endpoint,
  region: "us-east-1",
  forcePathStyle: true,
  credentials: { accessKeyId: server.access_key_id, secretAccessKey: server.secret_access_key },
  requestChecksumCalculation: "WHEN_REQUIRED"
})
const object = { Bucket: server.bucket, Key: "floor" }
const Body = new Uint8Array(PART).fill(7)

const started = performance.now()
const { UploadId } = await client.send(new CreateMultipartUploadCommand(object))
const count = Math.ceil(bytes / PART)
const tags = new Array<string | undefined>(count)
let next = 0
const sender = async () => {
  while (next < count) {
    const part = next++
    const length = Math.min(PART, bytes - part * PART)
    const sent = await client.send(
      new UploadPartCommand({ ...object, UploadId, PartNumber: part + 1, Body: Body.subarray(0, length) })
    )
    tags[part] = sent.ETag
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, sender))
const Parts = tags.map((ETag, index) => ({ ETag, PartNumber: index + 1 }))
await client.send(new CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload: { Parts } }))
const seconds = (performance.now() - started) / 1000
await client.send(new DeleteObjectCommand(object))
console.log(JSON.stringify({ seconds, bytes }))
process.exit()
