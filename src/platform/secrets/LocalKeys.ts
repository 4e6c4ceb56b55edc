import { createHmac, randomBytes } from "node:crypto"
import { link, mkdir, open, readFile, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Redacted, Schema } from "effect"
import { hasCode } from "../file/Disk.ts"
import { keyLength } from "./Envelope.ts"

/** The key that secrets are encrypted with cannot be used. */
export class SecretKeyUnusable extends Schema.TaggedError<SecretKeyUnusable>("platform/SecretKeyUnusable")(
  "SecretKeyUnusable",
  { detail: Schema.String }
) {
  override get message() {
    return this.detail
  }
}

/** A key that wraps data keys. */
export interface LocalKey {
  /** Tells keys apart and nothing of them. */
  readonly id: string
  readonly key: Redacted.Redacted<Uint8Array>
}

const localKey = (bytes: Uint8Array): LocalKey => ({
  id: `local:${createHmac("sha256", bytes).update("tracepipe key id").digest("hex").slice(0, 16)}`,
  key: Redacted.make(bytes)
})

/** 32 bytes as hex, base64 or base64url; undefined for anything else. */
export const parseKey = (text: string): LocalKey | undefined => {
  const trimmed = text.trim()
  if (/^[0-9a-f]{64}$/i.test(trimmed)) return localKey(Buffer.from(trimmed, "hex"))
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed)) return undefined
  const bytes = Buffer.from(trimmed, "base64url")
  return bytes.length === keyLength ? localKey(bytes) : undefined
}

/** Where the key is kept when none is configured. */
export const keyFile = (data_dir: string): string => join(data_dir, "secrets.key")

const syncFolder = async (folder: string) => {
  const handle = await open(folder)
  await handle.sync().finally(() => handle.close())
}

/** Several processes may start at once: the first that links its file has made the key of all. */
const makeFile = async (folder: string, file: string) => {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const fresh = `${file}.${randomBytes(8).toString("hex")}`
  const handle = await open(fresh, "wx", 0o600)
  try {
    await handle.writeFile(`${randomBytes(keyLength).toString("base64")}\n`)
    await handle.sync().finally(() => handle.close())
    await link(fresh, file).catch((cause) => {
      if (!hasCode(cause, "EEXIST")) throw cause
    })
  } finally {
    await rm(fresh, { force: true })
  }
  await syncFolder(folder)
}

const readKey = async (file: string): Promise<LocalKey | undefined> => {
  const found = await stat(file).catch((cause) => {
    if (hasCode(cause, "ENOENT", "ENOTDIR")) return undefined
    throw cause
  })
  if (found === undefined) return undefined
  if ((found.mode & 0o077) !== 0) {
    throw new SecretKeyUnusable({ detail: `others may read ${file}, the key of all secrets: chmod 600 ${file}` })
  }
  const key = parseKey(await readFile(file, "utf8"))
  if (key === undefined) {
    throw new SecretKeyUnusable({
      detail: `${file} holds no key (32 bytes as base64): give it back what it held, for what is encrypted with it cannot be read otherwise`
    })
  }
  return key
}

const attempt = <A>(file: string, run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      cause instanceof SecretKeyUnusable
        ? cause
        : new SecretKeyUnusable({ detail: `the key of the secrets, ${file}, cannot be read or made: ${cause}` })
  })

/** The key in the data folder; undefined if there is none yet. */
export const findKey = (data_dir: string): Effect.Effect<LocalKey | undefined, SecretKeyUnusable> => {
  const file = keyFile(data_dir)
  return attempt(file, () => readKey(file))
}

/** The key in the data folder, made (mode 0600) and durable if there is none. */
export const keyIn = (data_dir: string): Effect.Effect<LocalKey, SecretKeyUnusable> => {
  const file = keyFile(data_dir)
  return attempt(file, async () => {
    const found = await readKey(file)
    if (found !== undefined) return found
    await makeFile(data_dir, file)
    const made = await readKey(file)
    if (made === undefined) throw new SecretKeyUnusable({ detail: `${file} vanished as it was made` })
    return made
  })
}
