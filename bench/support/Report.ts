import { availableParallelism, loadavg, tmpdir, totalmem } from "node:os"
import { median, type Row, type Target } from "./Benchmark.ts"

/** One benchmark's latest run. */
export interface Measured {
  readonly name: string
  readonly about: string
  readonly date: string
  readonly machine: string
  /** Processes that wanted to run, a minute's average, while it was measured: what is above the cores is not ours. */
  readonly load: number
  readonly rows: ReadonlyArray<Row>
}

/** The machine in words that say what matters and not which one it is: `2 cores, 24 GiB, ext4, Bun 1.4.5`. */
export const machine = async (): Promise<string> => {
  const asked = Bun.spawn(["df", "--output=fstype", tmpdir()], { stderr: "ignore" })
  const file_system = (await new Response(asked.stdout).text()).trim().split("\n").at(-1)
  const memory = Math.round(totalmem() / 1024 ** 3)
  return `${availableParallelism()} cores, ${memory} GiB, ${file_system}, Bun ${Bun.version}`
}

/** The last minute's load; ours is two or three processes. */
export const load = (): number => loadavg()[0] ?? Number.NaN

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
  return [
    "# Benchmarks",
    "",
    "Written by `bun run bench [name…]`; samples are in `results.json`. Both sides are measured in the same run, in turns; the table shows medians, and as figure the median of the rounds' ratios. The load is the kernel's, for a minute, before and after: a machine that has nothing else to do shows one to three, and figures that were taken far above that say little about times, and less than they should about ratios.",
    "",
    "| benchmark | what | Tracepipe | floor | figure | must (aim) | outcome |",
    "|---|---|---|---|---|---|---|",
    ...all.flatMap(({ name, rows }) => rows.map((row) => line(name, row))),
    "",
    ...all.flatMap(({ name, about, date, machine: on, load: beside }) => [
      `**${name}.** ${about} Measured ${date} on ${on}, at a load of ${rounded(beside)}.`,
      ""
    ])
  ].join("\n")
}
