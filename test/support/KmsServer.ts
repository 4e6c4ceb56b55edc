import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect } from "effect"

interface Request {
  readonly KeyId?: string
  readonly KeySpec?: string
  readonly CiphertextBlob?: string
  readonly EncryptionContext?: Readonly<Record<string, string>>
}

/** The two calls of AWS KMS' JSON 1.1 protocol that an envelope needs, strictly. */
export interface KmsServer {
  readonly endpoint: string
  /** The key's ARN; `alias/tracepipe` leads to it until it is moved. */
  arn: string
  /** Another key, which the alias may be moved to. */
  readonly other_arn: string
  /** Operation and context of each request, in order. */
  readonly calls: Array<{ readonly operation: string; readonly context: Readonly<Record<string, string>> }>
  /** The next so many requests fail with this exception. */
  ill: { exception: string; status: number; times: number }
}

const arnOf = () => `arn:aws:kms:eu-central-1:111122223333:key/${crypto.randomUUID()}`

/** KMS sorts the context, and authenticates it. */
const aad = (context: Readonly<Record<string, string>>) =>
  Buffer.from(JSON.stringify(Object.entries(context).toSorted(([a], [b]) => (a < b ? -1 : 1))))

export const kmsServer = Effect.acquireRelease(
  Effect.promise(async () => {
    const world: Omit<KmsServer, "endpoint"> = {
      arn: arnOf(),
      other_arn: arnOf(),
      calls: [],
      ill: { exception: "ThrottlingException", status: 400, times: 0 }
    }
    const keys = new Map([world.arn, world.other_arn].map((arn) => [arn, randomBytes(32)]))
    const resolve = (id: string | undefined) => (id === "alias/tracepipe" ? world.arn : (id ?? ""))

    const encrypt = (arn: string, plain: Buffer, context: Readonly<Record<string, string>>) => {
      const nonce = randomBytes(12)
      const cipher = createCipheriv("aes-256-gcm", keys.get(arn) ?? Buffer.alloc(32), nonce)
      cipher.setAAD(aad(context))
      const sealed = Buffer.concat([cipher.update(plain), cipher.final()])
      return Buffer.concat([Buffer.from(`${arn}\0`), nonce, cipher.getAuthTag(), sealed])
    }

    const decrypt = (blob: Buffer, context: Readonly<Record<string, string>>) => {
      const end = blob.indexOf(0)
      const arn = blob.subarray(0, end).toString()
      const rest = blob.subarray(end + 1)
      const decipher = createDecipheriv("aes-256-gcm", keys.get(arn) ?? Buffer.alloc(32), rest.subarray(0, 12))
      decipher.setAAD(aad(context))
      decipher.setAuthTag(rest.subarray(12, 28))
      return { arn, plain: Buffer.concat([decipher.update(rest.subarray(28)), decipher.final()]) }
    }

    const answer = (operation: string, request: Request): readonly [number, object] => {
      const context = request.EncryptionContext ?? {}
      const fault = (exception: string, message = "") => [400, { __type: exception, message }] as const
      if (operation === "GenerateDataKey") {
        const arn = resolve(request.KeyId)
        if (request.KeySpec !== "AES_256") return fault("ValidationException", "KeySpec")
        if (!keys.has(arn)) return fault("NotFoundException", `Key '${request.KeyId}' does not exist`)
        const plain = randomBytes(32)
        return [
          200,
          {
            KeyId: arn,
            Plaintext: plain.toString("base64"),
            CiphertextBlob: encrypt(arn, plain, context).toString("base64")
          }
        ]
      }
      if (operation === "Decrypt") {
        try {
          const { arn, plain } = decrypt(Buffer.from(request.CiphertextBlob ?? "", "base64"), context)
          if (request.KeyId !== undefined && resolve(request.KeyId) !== arn) return fault("IncorrectKeyException")
          return [200, { KeyId: arn, Plaintext: plain.toString("base64"), EncryptionAlgorithm: "SYMMETRIC_DEFAULT" }]
        } catch {
          return fault("InvalidCiphertextException")
        }
      }
      return fault("UnknownOperationException")
    }

    const server = createServer(async (request, response) => {
      let text = ""
      for await (const chunk of request) text += chunk
      const { headers } = request
      const [service = "", operation = ""] = String(headers["x-amz-target"]).split(".")
      const send = (status: number, body: object) =>
        response.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(body))
      const signed = /^AWS4-HMAC-SHA256 Credential=\w+\/\d{8}\/eu-central-1\/kms\/aws4_request, /
      if (
        request.method !== "POST" ||
        service !== "TrentService" ||
        headers["content-type"] !== "application/x-amz-json-1.1" ||
        !signed.test(String(headers.authorization))
      ) {
        return send(400, { __type: "IncompleteSignatureException" })
      }
      const body: Request = JSON.parse(text)
      world.calls.push({ operation, context: body.EncryptionContext ?? {} })
      if (world.ill.times > 0) {
        world.ill.times -= 1
        return send(world.ill.status, { __type: world.ill.exception, message: "no" })
      }
      return send(...answer(operation, body))
    })
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", () => done()))
    const { port } = server.address() as AddressInfo
    return { server, kms: Object.assign(world, { endpoint: `http://127.0.0.1:${port}` }) satisfies KmsServer }
  }),
  ({ server }) =>
    Effect.sync(() => {
      server.closeAllConnections()
      server.close()
    })
).pipe(Effect.map(({ kms }): KmsServer => kms))
