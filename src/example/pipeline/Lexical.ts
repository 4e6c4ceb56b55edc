import { Effect } from "effect"
import type { ActionSurface, Classification } from "../../domain/example/Classification.ts"
import type { Episode } from "../../domain/example/Episode.ts"
import type { Classifier } from "./Classify.ts"
import { tellingRequests, triggerEvidence, urlParts, type Weights, withFields } from "./Evidence.ts"
import { fill } from "./Parameters.ts"
import { coverage, isVerb, tokens } from "./Tokens.ts"

interface Known {
  readonly action: ActionSurface
  readonly name: ReadonlyArray<string>
  readonly verbs: ReadonlyArray<string>
  /** Every word of the action: name, description, parameters. */
  readonly all: ReadonlySet<string>
  readonly parameters: ReadonlyArray<string>
}

const knownOf = (action: ActionSurface): Known => {
  const name = [...new Set(tokens(action.name))]
  const parameters = action.parameters.flatMap(({ name, description }) => tokens(`${name} ${description}`))
  return {
    action,
    name,
    verbs: name.filter(isVerb),
    all: new Set([...name, ...tokens(action.description), ...parameters]),
    parameters: [...new Set(parameters)]
  }
}

/** Words that few actions have say more: the inverse document frequency over the suite's actions. */
const rarity = (all: ReadonlyArray<Known>): ((word: string) => number) => {
  const counts = new Map<string, number>()
  for (const known of all) for (const word of known.all) counts.set(word, (counts.get(word) ?? 0) + 1)
  const logs = new Map([...counts].map(([word, count]) => [word, Math.log(1 + all.length / count)]))
  const alone = Math.log(1 + all.length)
  return (word) => logs.get(word) ?? alone
}

/** What was seen of one deed, in the forms that every action is held against. */
interface Seen {
  readonly weights: Weights
  readonly label: ReadonlyArray<string>
  /** It tells of some verb. */
  readonly hasVerb: boolean
}

const seenOf = (weights: Weights, label: ReadonlyArray<string>): Seen => {
  let hasVerb = false
  for (const [word, weight] of weights) if (weight >= 0.5 && isVerb(word)) hasVerb = true
  return { weights, label, hasVerb }
}

/** How well what was seen fits an action, 0 to 1. */
const fits = (known: Known, { weights, label, hasVerb }: Seen, idf: (word: string) => number): number => {
  let total = 0
  let found = 0
  for (const word of known.name) {
    const weight = idf(word)
    total += weight
    found += weight * (weights.get(word) ?? 0)
  }
  if (total === 0) return 0
  const named = found / total
  const explained = label.length === 0 ? named : coverage(label, known.all)
  const parameters = coverage(known.parameters, weights)
  const score = 0.7 * named + 0.2 * explained + 0.1 * Math.min(1, 2 * parameters)
  if (known.verbs.length === 0 || known.verbs.some((verb) => (weights.get(verb) ?? 0) >= 0.5)) return score
  return score * (hasVerb ? 0.5 : 0.75)
}

/** Below this a fit is chance. */
const enough = 0.4
/** Fields that wait for what sends them; older ones are no part of it. */
const maxFields = 60

const changesSomething = ({ requests }: Episode) =>
  tellingRequests(requests).some(({ method }) => method.toUpperCase() !== "GET")

/**
 * A value that was sent by itself is a deed: a ticked box, a search while typing, a choice that changes
 * something at once. Others wait for their form.
 */
const isSent = (episode: Episode) => {
  const { target, requests } = episode
  const [role, input_type] = [target?.role ?? "", target?.input_type ?? ""]
  if (/^(combobox|listbox|slider)$/.test(role) || /^(select-one|select-multiple|range)$/.test(input_type)) {
    return changesSomething(episode)
  }
  const alone = /^(checkbox|radio|switch|searchbox|option|menuitem\w*)$/.test(role)
  return tellingRequests(requests).length > 0 && (alone || /^(checkbox|radio|search)$/.test(input_type))
}

const isTrigger = (episode: Episode) =>
  episode.type === "change" ? isSent(episode) : episode.type !== "key" || episode.key === "Enter"

interface Found {
  readonly classification: Classification
  readonly trigger: Episode
  readonly fields: ReadonlyArray<Episode>
  readonly known: Known
}

/** A click's own submit and the page that it opened are the same deed. */
const isSequel = (before: Episode, after: Episode) =>
  (after.type === "submit" && before.type !== "navigate") || (after.type === "navigate" && before.type !== "navigate")

const rounded = (value: number) => Math.round(Math.min(1, Math.max(0, value)) * 1000) / 1000

class LexicalRecognition {
  readonly #known: ReadonlyArray<Known>
  readonly #idf: (word: string) => number
  #fields: Array<Episode> = []
  #last: Found | undefined

  constructor(actions: ReadonlyArray<ActionSurface>) {
    this.#known = actions.map(knownOf)
    this.#idf = rarity(this.#known)
  }

  push(episode: Episode): ReadonlyArray<Classification> {
    if (!isTrigger(episode)) {
      this.#fields = [...this.#fields.slice(1 - maxFields), episode]
      return []
    }
    const found = this.#recognise(episode)
    if (found === undefined) {
      if (episode.type === "navigate") this.#leave(episode)
      return []
    }
    const last = this.#last
    this.#fields = []
    if (
      last !== undefined &&
      last.known === found.known &&
      found.fields.length === 0 &&
      isSequel(last.trigger, episode)
    ) {
      this.#last = merged(last, found)
      return []
    }
    this.#last = found
    return last === undefined ? [] : [last.classification]
  }

  end(): ReadonlyArray<Classification> {
    const last = this.#last
    this.#last = undefined
    return last === undefined ? [] : [last.classification]
  }

  /** What was typed on another site has nothing to do with what follows. */
  #leave({ url }: Episode) {
    if (url === null) return
    const { origin } = urlParts(url)
    this.#fields = this.#fields.filter((field) => field.url === null || urlParts(field.url).origin === origin)
  }

  #recognise(trigger: Episode): Found | undefined {
    const evidence = triggerEvidence(trigger)
    const label = tokens(trigger.target?.name ?? trigger.target?.text ?? "")
    const seen = seenOf(withFields(evidence, this.#fields), label)
    const scored = this.#known
      .map((known) => ({ known, score: fits(known, seen, this.#idf) }))
      .sort((a, b) => b.score - a.score || (a.known.action.name < b.known.action.name ? -1 : 1))
    const [best, second] = scored
    if (best === undefined || best.score < enough) return undefined
    const { known, score } = best
    const parameters = fill(known.action, this.#fields, trigger)
    const required = known.action.parameters.filter(({ required }) => required)
    const filled = required.filter(({ name }) => Object.hasOwn(parameters, name)).length
    // What opens a form is named as what the form does, and does nothing yet.
    if (required.length > 0 && filled === 0 && !changesSomething(trigger)) return undefined
    const whole = required.length === 0 ? 1 : filled / required.length
    const clear = second === undefined || score - second.score >= 0.1 ? 1 : 0.85
    const confidence = rounded(score * (0.7 + 0.3 * whole) * clear)
    return {
      known,
      trigger,
      fields: this.#fields,
      classification: {
        action: known.action.name,
        parameters,
        confidence,
        evidence: { from_seq: this.#fields[0]?.from_seq ?? trigger.from_seq, to_seq: trigger.to_seq }
      }
    }
  }
}

const merged = (first: Found, sequel: Found): Found => ({
  ...first,
  trigger: sequel.trigger,
  classification: {
    action: first.classification.action,
    parameters: { ...sequel.classification.parameters, ...first.classification.parameters },
    confidence: Math.max(first.classification.confidence, sequel.classification.confidence),
    evidence: { from_seq: first.classification.evidence.from_seq, to_seq: sequel.classification.evidence.to_seq }
  }
})

/** `BUILTIN/lexical`: deterministic, offline, by the similarity of words. */
export const lexical: Classifier = {
  name: "BUILTIN/lexical",
  start: (actions) => {
    const recognition = new LexicalRecognition(actions)
    return {
      push: (episode) => Effect.sync(() => recognition.push(episode)),
      end: Effect.sync(() => recognition.end()),
      intent: () => null
    }
  }
}
