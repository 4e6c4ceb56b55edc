import type { LlmCall } from "./LlmServer.ts"

type ShownEpisode = {
  readonly n: number
  readonly type: string
  readonly value?: string
  readonly target?: { name: string }
}

/** The episodes that a model is shown. */
export const episodesOf = ({ user }: LlmCall): ReadonlyArray<ShownEpisode> =>
  user
    .split("\n")
    .filter((line) => line.startsWith('{"n":'))
    .map((line) => JSON.parse(line))

/** What a model that reads carefully answers: one customer for each button that was clicked. */
export const careful = (call: LlmCall) => {
  const episodes = episodesOf(call)
  const value = (n: number, name: string) =>
    episodes.findLast((episode) => episode.n < n && episode.n > n - 5 && episode.target?.name === name)?.value ?? ""
  return {
    intent: "Add the customers",
    actions: episodes
      .filter(({ type }) => type === "click" || type === "submit")
      .map(({ n }) => ({
        action: "create_customer",
        parameters: [
          { name: "full_name", value: value(n, "Full name") },
          { name: "email", value: value(n, "E-mail") },
          { name: "age", value: value(n, "Age") }
        ],
        first: Math.max(n - 4, episodes[0]?.n ?? n),
        last: n,
        confidence: 0.9
      }))
  }
}
