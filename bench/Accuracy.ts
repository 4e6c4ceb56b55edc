import { readdir, readFile, writeFile } from "node:fs/promises"
import type { AppName } from "./accuracy/Apps.ts"
import type { Label } from "./accuracy/Scripts.ts"
import type { Benchmark, Row } from "./support/Benchmark.ts"
import { withFolder } from "./support/Children.ts"
import { applied, type Call, caller, madeExample, recordingForm } from "./support/Examples.ts"
import { startService } from "./support/Service.ts"

interface Labelled {
  readonly name: string
  readonly app: AppName
  readonly description: string
  readonly labels: ReadonlyArray<Label>
}

interface Model {
  readonly id: string
  readonly provider: string
  readonly name: string
}

const here = (path: string) => new URL(`accuracy/${path}`, import.meta.url)

/** The tool calls of the example that the model makes of a recording. */
const recognised = async (
  call: Call,
  suite_id: string,
  { name, description }: Labelled,
  model: Model
): Promise<ReadonlyArray<Label>> => {
  const form = await recordingForm(suite_id, name, description)
  const session: { readonly id: string } = JSON.parse(await call("POST", "/v1/sessions", form))
  const { id, status, error_code } = await madeExample(call, session.id, model.id)
  if (error_code === "no_actions_recognised") return []
  if (status !== "COMPLETED") throw new Error(`${name}: ${error_code}`)
  const lines = (await call("GET", `/v1/examples/${id}/messages`)).trim().split("\n")
  return lines.flatMap((line) => {
    const { tool_calls = [] }: { readonly tool_calls?: ReadonlyArray<{ readonly function: Record<string, string> }> } =
      JSON.parse(line)
    return tool_calls.map(({ function: { name = "", arguments: text = "{}" } }) => ({
      action: name,
      parameters: JSON.parse(text)
    }))
  })
}

const isSame = (a: unknown, b: unknown) => String(a) === String(b)

const rightOnes = (label: Label, found: Label) =>
  Object.entries(label.parameters).filter(([key, value]) => isSame(value, found.parameters[key])).length

/** The longest common order of actions, and of those the one with the most parameters right. */
const aligned = (labels: ReadonlyArray<Label>, found: ReadonlyArray<Label>) => {
  type Best = { readonly score: number; readonly pairs: ReadonlyArray<readonly [Label, Label]> }
  const none: Best = { score: 0, pairs: [] }
  const table: Array<Array<Best>> = Array.from({ length: labels.length + 1 }, () =>
    Array.from({ length: found.length + 1 }, () => none)
  )
  const at = (i: number, j: number) => table[i]?.[j] ?? none
  for (let i = 1; i <= labels.length; i++) {
    for (let j = 1; j <= found.length; j++) {
      const [label, one] = [labels[i - 1], found[j - 1]]
      const options = [at(i - 1, j), at(i, j - 1)]
      if (label !== undefined && one !== undefined && label.action === one.action) {
        const before = at(i - 1, j - 1)
        options.push({ score: before.score + 1 + rightOnes(label, one) / 100, pairs: [...before.pairs, [label, one]] })
      }
      const row = table[i]
      if (row !== undefined) row[j] = options.reduce((best, other) => (other.score > best.score ? other : best))
    }
  }
  return at(labels.length, found.length).pairs
}

interface Count {
  right: number
  labelled: number
  found: number
}

const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole)

const scores = ({ right, labelled, found }: Count) => {
  const precision = share(right, found)
  const recall = share(right, labelled)
  return { precision, recall, f1: share(2 * precision * recall, precision + recall) }
}

const told = ({ action, parameters }: Label) => `\`${action}\` ${JSON.stringify(parameters)}`

const percent = (value: number) => `${(100 * value).toFixed(1)} %`

const measured = async (
  call: Call,
  model: Model,
  all: ReadonlyArray<Labelled>,
  suites: ReadonlyMap<AppName, string>
) => {
  const actions: Count = { right: 0, labelled: 0, found: 0 }
  const parameters: Count = { right: 0, labelled: 0, found: 0 }
  const misses: Array<string> = []
  for (const labelled of all) {
    const found = await recognised(call, suites.get(labelled.app) ?? "", labelled, model)
    const pairs = aligned(labelled.labels, found)
    actions.right += pairs.length
    actions.labelled += labelled.labels.length
    actions.found += found.length
    for (const label of labelled.labels) {
      parameters.labelled += Object.keys(label.parameters).length
      if (!pairs.some(([one]) => one === label)) misses.push(`${labelled.name}: missed ${told(label)}`)
    }
    for (const one of found) {
      parameters.found += Object.keys(one.parameters).length
      if (!pairs.some(([, other]) => other === one)) misses.push(`${labelled.name}: made up ${told(one)}`)
    }
    for (const [label, one] of pairs) {
      parameters.right += rightOnes(label, one)
      for (const key of new Set([...Object.keys(label.parameters), ...Object.keys(one.parameters)])) {
        const [wanted, got] = [label.parameters[key], one.parameters[key]]
        if (!isSame(wanted, got)) {
          misses.push(
            `${labelled.name}: \`${label.action}\`.\`${key}\` is ${JSON.stringify(got) ?? "missing"}, not ${JSON.stringify(wanted) ?? "there at all"}`
          )
        }
      }
    }
  }
  return { actions, parameters, misses }
}

const pageOf = (sections: ReadonlyArray<string>, sessions: number, deeds: number, apps: number) =>
  [
    "# Accuracy",
    "",
    `Written by \`bun run bench accuracy\`: ${deeds} labelled actions in ${sessions} recordings that a real browser made of ${apps} small web applications (\`bench/accuracy\`: \`Apps.ts\` serves them, \`Record.ts\` records what \`Scripts.ts\` does, \`labels.json\` says what was meant, \`Surfaces.ts\` are the suites). An action counts when it is there in the right place of the order; a parameter when its action does and its value is the labelled one. Four rules of the classifier were corrected after its first run over 67 of them (F1 then: 92.2 % of actions, 91.0 % of parameters), so no part of the set is unseen but the last four sessions of the coffee shop.`,
    "",
    ...sections,
    ""
  ].join("\n")

export const accuracy: Benchmark = {
  name: "accuracy",
  about:
    "Recall, precision and F1 over labelled recordings of a real browser, through the running service; the misses are in `accuracy/REPORT.md`. There is no floor: the figures are reported.",
  run: () =>
    withFolder(async (folder) => {
      const service = await startService(folder)
      try {
        const call = caller(service)
        const all: ReadonlyArray<Labelled> = JSON.parse(await readFile(here("labels.json"), "utf8"))
        const recorded = new Set(await readdir(here("recordings")))
        const apps = [...new Set(all.map(({ app }) => app))]
        const suites = new Map<AppName, string>()
        for (const app of apps) suites.set(app, await applied(call, app))
        const { items }: { readonly items: ReadonlyArray<Model> } = JSON.parse(
          await call("GET", "/v1/models?limit=100")
        )
        const models = items.filter(({ provider, name }) => provider !== "BUILTIN" || name === "lexical")
        const rows: Array<Row> = []
        const sections: Array<string> = []
        const sessions = all.filter(({ name }) => recorded.has(name))
        for (const model of models) {
          const { actions, parameters, misses } = await measured(call, model, sessions, suites)
          const name = `${model.provider}/${model.name}`
          const table = [
            `## ${name}`,
            "",
            "| | precision | recall | F1 | right | labelled | found |",
            "|---|---|---|---|---|---|---|"
          ]
          for (const [what, count] of [
            ["actions", actions],
            ["parameters", parameters]
          ] as const) {
            const { precision, recall, f1 } = scores(count)
            table.push(
              `| ${what} | ${percent(precision)} | ${percent(recall)} | ${percent(f1)} | ${count.right} | ${count.labelled} | ${count.found} |`
            )
            rows.push({
              what: `${name}, F1 of ${what}`,
              unit: "%",
              ours: [100 * f1],
              floor: [],
              figure: undefined,
              target: undefined
            })
          }
          sections.push(...table, "", "What it got wrong:", "", ...misses.map((miss) => `- ${miss}`), "")
        }
        const deeds = sessions.reduce((sum, { labels }) => sum + labels.length, 0)
        await writeFile(here("REPORT.md"), pageOf(sections, sessions.length, deeds, apps.length))
        return rows
      } finally {
        await service.stop()
      }
    })
}
