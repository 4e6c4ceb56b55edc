/**
 * Words of names, labels, selectors and paths, brought to one form: split at spaces, punctuation and
 * camelCase, lower case, without their endings, and with one word for the synonyms of interfaces.
 */

/** Words that mean the same on a button: the first of each stands for all. */
const synonyms: ReadonlyArray<ReadonlyArray<string>> = [
  ["add", "create", "new", "insert", "plus", "append"],
  ["delete", "remove", "trash", "discard", "erase", "destroy", "drop"],
  ["save", "submit", "update", "edit", "modify", "change", "apply", "store", "rename"],
  ["search", "find", "lookup", "query", "filter"],
  ["open", "view", "show", "see", "display", "visit", "read", "get", "detail", "fetch", "browse", "list"],
  ["signin", "login", "logon", "authenticate"],
  ["signout", "logout", "logoff"],
  ["signup", "register", "join"],
  ["send", "post", "publish", "reply"],
  ["buy", "purchase", "checkout", "pay"],
  ["cancel", "abort", "dismiss", "close"],
  ["select", "choose", "pick"],
  ["complete", "finish", "resolve", "tick"],
  ["upload", "import", "attach"],
  ["download", "export"],
  ["start", "begin", "launch", "run"],
  ["stop", "end", "halt", "pause"],
  ["book", "reserve", "schedule"],
  ["share", "invite", "invitation"],
  ["cart", "basket", "bag"],
  ["quantity", "qty", "amount", "count"],
  ["email", "mail"],
  ["phone", "telephone", "tel", "mobile"],
  ["description", "desc"],
  ["identifier", "id", "uuid"],
  ["address", "addr"],
  ["number", "no", "num"],
  ["username", "user", "account"],
  ["picture", "image", "photo"]
]

/** How many of {@link synonyms}, from the first on, are things to do rather than things. */
const verbGroups = 19

const stopWords = new Set(
  "a an and the of to in on at by for from with into as is it its this that your my our be or if then please here button link page form input field click press the item".split(
    " "
  )
)

/** Two words that are one on a button. */
const joined: ReadonlyArray<readonly [RegExp, string]> = [
  [/\b(sign|log)[\s_-]*(in|on)\b/gi, " signin "],
  [/\b(sign|log)[\s_-]*(out|off)\b/gi, " signout "],
  [/\bsign[\s_-]*up\b/gi, " signup "],
  [/\bcheck[\s_-]*out\b/gi, " checkout "],
  [/\blook[\s_-]*up\b/gi, " lookup "],
  [/\be-mail\b/gi, " email "]
]

const keepsItsEnd = new Set([
  "address",
  "status",
  "news",
  "business",
  "process",
  "access",
  "class",
  "bus",
  "gas",
  "need"
])

/** A word without its English ending; made to be the same for the forms of one word, not to be a word. */
export const stem = (word: string): string => {
  if (word.length < 4 || keepsItsEnd.has(word)) return word
  const cut = (end: number) => {
    const root = word.slice(0, -end)
    return /([b-df-hj-np-rtv-z])\1$/.test(root) ? root.slice(0, -1) : root
  }
  if (word.endsWith("ies") && word.length > 4) return `${word.slice(0, -3)}y`
  if (/(ss|x|ch|sh|z)es$/.test(word)) return word.slice(0, -2)
  if (word.endsWith("s") && !word.endsWith("ss") && !word.endsWith("us")) return stem(word.slice(0, -1))
  if (word.endsWith("ing") && word.length > 5) return cut(3)
  if (word.endsWith("ed") && word.length > 4) return cut(2)
  return word
}

/** Stems lose a final e, so that `create`, `created` and `creating` meet. */
const root = (word: string): string => {
  const stemmed = stem(word)
  return stemmed.length > 4 && stemmed.endsWith("e") ? stemmed.slice(0, -1) : stemmed
}

const canonical = new Map(synonyms.flatMap((group) => group.map((word) => [root(word), group[0] ?? word] as const)))
const verbs: ReadonlySet<string> = new Set(synonyms.slice(0, verbGroups).flatMap(([first]) => first ?? []))

/** True for the one word that stands for a thing to do, such as `add`. */
export const isVerb = (token: string): boolean => verbs.has(token)

const split = (text: string): ReadonlyArray<string> => {
  let spaced = text.replaceAll(/([\p{Ll}\d])(\p{Lu})/gu, "$1 $2").replaceAll(/(\p{Lu}+)(\p{Lu}\p{Ll})/gu, "$1 $2")
  for (const [pattern, word] of joined) spaced = spaced.replaceAll(pattern, word)
  return spaced
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "")
}

/** Text beyond this is not looked at: no label or name is longer. */
const longest = 400
const known = new Map<string, ReadonlyArray<string>>()

/** The words of a text in their one form, in order, without those that say nothing. */
export const tokens = (text: string): ReadonlyArray<string> => {
  const key = text.length > longest ? text.slice(0, longest) : text
  const found = known.get(key)
  if (found !== undefined) return found
  const words = split(key)
    .filter((word) => !stopWords.has(word))
    .map((word) => canonical.get(root(word)) ?? root(word))
  if (known.size >= 5000) known.clear()
  known.set(key, words)
  return words
}

/** The share of `wanted` that is among `given`, 0 to 1; 0 when nothing is wanted. */
export const coverage = (
  wanted: ReadonlyArray<string>,
  given: { readonly has: (token: string) => boolean }
): number => {
  if (wanted.length === 0) return 0
  let count = 0
  for (const token of wanted) if (given.has(token)) count += 1
  return count / wanted.length
}
