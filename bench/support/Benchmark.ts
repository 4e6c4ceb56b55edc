/** What a figure is held against: a ratio that must be reached, or an amount that must not be passed. */
export interface Target {
  readonly kind: "at_least" | "at_most"
  readonly unit: "×" | "MiB" | "s"
  readonly must: number
  readonly aim?: number | undefined
}

/** One line of the table. Samples are kept in the order of the rounds. */
export interface Row {
  readonly what: string
  readonly unit: string
  readonly ours: ReadonlyArray<number>
  readonly floor: ReadonlyArray<number>
  /** What the target is about; undefined where the row only shows where time goes. */
  readonly figure: number | undefined
  readonly target: Target | undefined
  /** Why the row has no samples. */
  readonly not_run?: string | undefined
}

export interface Benchmark {
  readonly name: string
  /** What is measured and what it is held against, for the reader of the table. */
  readonly about: string
  readonly run: () => Promise<ReadonlyArray<Row>>
}

export const median = (samples: ReadonlyArray<number>): number => {
  const sorted = samples.toSorted((left, right) => left - right)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

interface Pair {
  readonly ours: () => Promise<number>
  readonly floor: () => Promise<number>
}

/** Measures both sides after their warm-ups, in turns, so that a slow minute of the machine slows both. */
export const interleaved = async (rounds: number, { ours, floor }: Pair, warm_ups = 1) => {
  for (let round = 0; round < warm_ups; round++) {
    await ours()
    await floor()
  }
  const samples = { ours: [] as number[], floor: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    // Whoever goes second finds what the first left behind: they take turns in that as well.
    if (round % 2 === 1) samples.floor.push(await floor())
    samples.ours.push(await ours())
    if (round % 2 === 0) samples.floor.push(await floor())
  }
  return samples
}

/**
 * A row whose figure is the median of the rounds' ratios, both sides in something where more is
 * better: of what slows the machine for longer than a round, both of its sides get the same.
 */
export const ratioRow = (
  what: string,
  unit: string,
  samples: Pick<Row, "ours" | "floor">,
  target: { readonly must: number; readonly aim: number } | undefined
): Row => ({
  what,
  unit,
  ...samples,
  figure: median(samples.ours.map((ours, round) => ours / (samples.floor[round] ?? Number.NaN))),
  target: target === undefined ? undefined : { kind: "at_least", unit: "×", ...target }
})

export const notRun = (what: string, why: string): Row => ({
  what,
  unit: "",
  ours: [],
  floor: [],
  figure: undefined,
  target: undefined,
  not_run: why
})
