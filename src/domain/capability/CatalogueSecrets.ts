/** One thing in a server's description that has no business there. */
interface Finding {
  readonly path: ReadonlyArray<PropertyKey>
  readonly message: string
}

const apart = "the catalogue holds no secrets: a server's credentials are kept apart from it and referenced"

const secretName =
  /(password|passwd|secret|token|credentials?|authorization|cookie|(^|[-_.])auth|(api|access|private|secret|account)[-_]?key)$/i

const secretValue = /^\s*(bearer|basic|token)\s+\S|^(sk-|ghp_|gho_|github_pat_|xox[abps]-|AKIA|tp_live_|eyJ)[\w-]{8,}/i

const withUserInfo = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s@]*@/i

const secretOption = /^--?[\w-]*?(password|passwd|secret|token|api[-_]?key|credentials?)(=|$)/i

const isSecret = (name: string, value: string) =>
  secretName.test(name) || secretValue.test(value) || withUserInfo.test(value)

/** The entries of an environment or of headers that hold a secret, by their name or by their value. */
export const inEntries = (entries: Readonly<Record<string, string>>): ReadonlyArray<Finding> =>
  Object.entries(entries).flatMap(([name, value]) =>
    isSecret(name, value) ? [{ path: [name], message: `${name} looks like a secret; ${apart}` }] : []
  )

/** The arguments of a command that hold a secret. */
export const inArguments = (args: ReadonlyArray<string>): ReadonlyArray<Finding> =>
  args.flatMap((text, at) =>
    secretOption.test(text) || secretValue.test(text) || withUserInfo.test(text)
      ? [{ path: [at], message: `this looks like a secret; ${apart}` }]
      : []
  )

/** User information in a URL, and query parameters that hold a secret. */
export const inUrl = (text: string): ReadonlyArray<Finding> => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) return []
  if (url.username !== "" || url.password !== "")
    return [{ path: [], message: `the URL holds user information; ${apart}` }]
  return [...url.searchParams].some(([name, value]) => isSecret(name, value))
    ? [{ path: [], message: `the URL's query holds a secret; ${apart}` }]
    : []
}
