/** Words that recordings, benchmarks and people use; compared in small letters. */
const good = new Set(["success", "succeeded", "successful", "pass", "passed", "resolved", "solved", "accepted", "ok"])
const bad = new Set(["failure", "fail", "failed", "error", "unresolved", "unsolved", "rejected", "aborted", "timeout"])

const flags = ["success", "succeeded", "is_success", "resolved", "passed", "solved"]
const words = ["outcome", "result", "verdict", "label", "status"]
/** Members that hold what is told about a run as a whole. */
const inside = [
  "info",
  "result",
  "outcome",
  "metrics",
  "final_metrics",
  "evaluation",
  "verifier_result",
  "rewards",
  "extra"
]

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const said = (value: unknown): boolean | undefined => {
  if (typeof value !== "string") return undefined
  const word = value.trim().toLowerCase()
  return good.has(word) ? true : bad.has(word) ? false : undefined
}

const own = (about: Readonly<Record<string, unknown>>): boolean | undefined => {
  for (const name of flags) if (typeof about[name] === "boolean") return about[name]
  for (const name of words) {
    const known = said(about[name])
    if (known !== undefined) return known
  }
  // A reward of benchmarks such as tau-bench: all of it, or it was not done.
  if (typeof about["reward"] === "number") return about["reward"] >= 1
  // SWE-agent: what was handed in only when a limit was met has another status.
  return typeof about["exit_status"] === "string" ? about["exit_status"] === "submitted" : undefined
}

/**
 * Whether what is described succeeded, by a session's metadata or what a recording tells about itself:
 * a flag, a word, a reward or an exit status, its own or one level below. Undefined: it is not said.
 */
export const succeeded = (about: unknown): boolean | undefined => {
  if (!isObject(about)) return undefined
  const known = own(about)
  if (known !== undefined) return known
  for (const name of inside) {
    const below = about[name]
    const told = isObject(below) ? own(below) : undefined
    if (told !== undefined) return told
  }
  return undefined
}
