import { availableParallelism, tmpdir, totalmem } from "node:os"
import { median, type Row, type Target } from "./Benchmark.ts"

/** One benchmark's latest run. */
export interface Measured {
  readonly name: string
  readonly about: string
  readonly date: string
  readonly machine: string
  readonly rows: ReadonlyArray<Row>
}

/** The machine in words that say what matters and not which one it is: `2 cores, 24 GiB, ext4, Bun 1.4.5`. */
export const machine = async (): Promise<string> => {
  const asked = Bun.spawn(["df", "--output=fstype", tmpdir()], { stderr: "ignore" })
  const file_system = (await new Response(asked.stdout).text()).trim().split("\n").at(-1)
  const memory = Math.round(totalmem() / 1024 ** 3)
  return `${availableParallelism()} cores, ${memory} GiB, ${file_system}, Bun ${Bun.version}`
}

const rounded = (value: number) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2))

const shown = (samples: ReadonlyArray<number>, unit: string) =>
  samples.length === 0 ? "–" : `${rounded(median(samples))} ${unit}`

const limit = ({ kind, unit, must, aim }: Target) => {
  const sign = kind === "at_least" ? "≥" : "≤"
  return `${sign} ${must} ${unit}${aim === undefined ? "" : ` (${sign} ${aim})`}`
}

const verdict = (figure: number, { kind, must, aim }: Target) => {
  const reaches = (value: number) => (kind === "at_least" ? figure >= value : figure <= value)
  if (aim !== undefined && reaches(aim)) return "reached, and the aim"
  return reaches(must) ? "reached" : "**missed**"
}

const line = (name: string, row: Row): string => {
  if (row.not_run !== undefined) return `| \`${name}\` | ${row.what} | – | – | – | – | ${row.not_run} |`
  const { figure, target, unit } = row
  const ratio = figure === undefined ? "–" : `${rounded(figure)} ${target?.unit ?? "×"}`
  const outcome = figure === undefined || target === undefined ? "–" : verdict(figure, target)
  const cells = [`\`${name}\``, row.what, shown(row.ours, unit), shown(row.floor, unit), ratio]
  return `| ${[...cells, target === undefined ? "–" : limit(target), outcome].join(" | ")} |`
}

/** The results as a Markdown page. */
export const report = (all: ReadonlyArray<Measured>): string => {
  const runs = [...new Set(all.map(({ date, machine: on }) => `${date}, on ${on}`))]
  return [
    "# Benchmarks",
    "",
    "Written by `bun run bench [name…]`; samples are in `results.json`. Both sides are measured in the same run, in turns; the table shows medians.",
    "",
    `Measured ${runs.join("; ")}.`,
    "",
    "| benchmark | what | Tracepipe | floor | figure | must (aim) | outcome |",
    "|---|---|---|---|---|---|---|",
    ...all.flatMap(({ name, rows }) => rows.map((row) => line(name, row))),
    "",
    ...all.flatMap(({ name, about }) => [`**${name}.** ${about}`, ""])
  ].join("\n")
}
