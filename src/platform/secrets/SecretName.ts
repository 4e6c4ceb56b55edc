import type { SecretPath } from "../SecretStore.ts"

const form = /^[A-Za-z0-9_-][A-Za-z0-9._:-]*(\/[A-Za-z0-9_-][A-Za-z0-9._:-]*)*$/
const longest = 500

/**
 * `<org>/<path>`, or `service/<path>` for the service's own. Paths are made by this service, never by
 * a caller: one that could lead into another's folder is a defect.
 */
export const nameOf = ({ org_id, path }: SecretPath): string => {
  if (path.length > longest || !form.test(path)) throw new Error(`${JSON.stringify(path)} is no path of a secret`)
  return `${org_id ?? "service"}/${path}`
}
