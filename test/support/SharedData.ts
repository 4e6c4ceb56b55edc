import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe } from "vitest"

const folder = new URL("../../../shared/data/", import.meta.url)

/** The local path of a sample recording. */
export const sharedFile = (name: string): string => fileURLToPath(new URL(name, folder))

/** The bytes of a sample recording. */
export const sharedBytes = (name: string): Buffer => readFileSync(sharedFile(name))

/** A describe that is skipped, by its name, where the sample recordings are not beside the repository. */
export const describeShared = (name: string, tests: () => void): void => {
  describe.skipIf(!existsSync(folder))(`${name} (needs ../shared/data)`, tests)
}
