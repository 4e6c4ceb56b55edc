import { A2A_VERSION_HEADER } from "@a2a-js/sdk"
import { VersionNotSupportedError } from "@a2a-js/sdk/errors"

/** The versions of A2A that are spoken here, newest first. */
export const versions = ["1.0", "0.3"] as const
export type Version = (typeof versions)[number]

/** `0.3.0` is 0.3: patches play no part in it. */
const named = (text: string): Version => {
  const [major, minor = "0"] = text.trim().split(".")
  const found = versions.find((version) => version === `${major}.${minor}`)
  if (found !== undefined) return found
  throw new VersionNotSupportedError(`A2A ${JSON.stringify(text)} is not spoken here; ${versions.join(" and ")} are`)
}

/**
 * The version that a request names, in its header or as a parameter of its address; undefined where it
 * names none. Throws `VersionNotSupportedError`.
 */
export const requestedVersion = (request: Request): Version | undefined => {
  const text = request.headers.get(A2A_VERSION_HEADER) || new URL(request.url).searchParams.get(A2A_VERSION_HEADER)
  return text === null || text.trim() === "" ? undefined : named(text)
}
