import { randomBytes } from "node:crypto"
import { open, readFile, rename } from "node:fs/promises"
import { dirname } from "node:path"
import { Effect, Schema } from "effect"
import { attempt } from "./BundledPostgresError.ts"

/** Passwords of the three roles. */
export const ServerCredentials = Schema.Struct({
  postgres: Schema.Redacted(Schema.String),
  tracepipe_owner: Schema.Redacted(Schema.String),
  tracepipe_app: Schema.Redacted(Schema.String)
})
export interface ServerCredentials extends Schema.Schema.Type<typeof ServerCredentials> {}

const decode = Schema.decodeSync(Schema.parseJson(ServerCredentials))

const password = () => randomBytes(32).toString("base64url")

/** Makes the folder's entries durable (a rename is not before that). */
export const syncFolder = async (folder: string) => {
  const handle = await open(folder)
  await handle.sync().finally(() => handle.close())
}

const make = async (file: string) => {
  const fresh = `${file}.new`
  const handle = await open(fresh, "w", 0o600)
  await handle.writeFile(
    JSON.stringify({ postgres: password(), tracepipe_owner: password(), tracepipe_app: password() })
  )
  await handle.sync().finally(() => handle.close())
  await rename(fresh, file)
  await syncFolder(dirname(file))
}

/**
 * Reads the passwords; with `make_missing` they are made first, and durable before they are used,
 * so that no database can outlive the knowledge of its passwords.
 */
export const serverCredentials = Effect.fn("ServerCredentials.load")((file: string, make_missing: boolean) =>
  attempt(`read ${file}`, async () => {
    const read = () => readFile(file, "utf8")
    const text = await read().catch(async (cause) => {
      if (cause.code !== "ENOENT" || !make_missing) throw cause
      await make(file)
      return read()
    })
    return decode(text)
  })
)
