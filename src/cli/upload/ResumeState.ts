import { createHash } from "node:crypto"
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { homedir } from "node:os"
import { join } from "node:path"
import type { UrlStorage } from "tus-js-client"
import type { LocalBundle } from "./LocalBundle.ts"

type Previous = Awaited<ReturnType<UrlStorage["findAllUploads"]>>[number]

/** Where it is remembered which upload belongs to which bundle (XDG Base Directory Specification). */
const folder = () => join(process.env["XDG_STATE_HOME"] || join(homedir(), ".local", "state"), "tracepipe", "uploads")

/** What makes an upload the same as one before: where it goes, what is said of it, and every file as it is. */
export const fingerprintOf = (
  target: { readonly base_url: string; readonly fields: Readonly<Record<string, unknown>> },
  { kind, files }: LocalBundle
): string =>
  createHash("sha256")
    .update(JSON.stringify([target.base_url, target.fields, kind]))
    .update(
      files.map(({ path, size_bytes, modified_ms }) => JSON.stringify([path, size_bytes, modified_ms])).join("\n")
    )
    .digest("hex")

const isPrevious = (value: unknown): value is Previous =>
  typeof value === "object" && value !== null && "uploadUrl" in value && typeof value.uploadUrl === "string"

const read = async (fingerprint: string): Promise<ReadonlyArray<Previous>> => {
  // Absent most of the time, and never worth more than beginning anew.
  const text = await readFile(join(folder(), `${fingerprint}.json`), "utf8").catch(() => "null")
  try {
    const value: unknown = JSON.parse(text)
    return isPrevious(value) ? [{ ...value, urlStorageKey: fingerprint }] : []
  } catch {
    return []
  }
}

const write = async (fingerprint: string, upload: Previous) => {
  const path = join(folder(), `${fingerprint}.json`)
  await mkdir(folder(), { recursive: true, mode: 0o700 })
  await writeFile(`${path}.new`, JSON.stringify(upload), { mode: 0o600 })
  await rename(`${path}.new`, path)
}

/** Forgets the upload of a bundle: it has become a session, or never will. */
export const forget = (fingerprint: string): Promise<void> => rm(join(folder(), `${fingerprint}.json`), { force: true })

/** One file for each upload that is under way. */
export const resumeState: UrlStorage = {
  findAllUploads: async () => [],
  findUploadsByFingerprint: async (fingerprint) => [...(await read(fingerprint))],
  removeUpload: forget,
  addUpload: async (fingerprint, upload) => {
    await write(fingerprint, upload)
    return fingerprint
  }
}
