import { Clock, Effect, Schedule } from "effect"

const units = ["B", "KiB", "MiB", "GiB", "TiB"]

/** Bytes for people: `3.4 MiB`. */
export const size = (bytes: number): string => {
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10))
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`
}

const span = (seconds: number): string => {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole} s`
  return whole < 3600
    ? `${Math.floor(whole / 60)} min ${whole % 60} s`
    : `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

interface Moment {
  readonly sent: number
  /** What of it was sent before, by an earlier run. */
  readonly before?: number
  readonly total: number
  readonly elapsed_ms: number
  /** Width of the terminal. */
  readonly columns: number
}

/** Before that the rate says nothing yet. */
const SETTLED_MS = 1000

/** One line that fits the terminal: bar, percent, bytes, rate, time left. */
export const bar = ({ sent, before = 0, total, elapsed_ms, columns }: Moment): string => {
  const done = total === 0 ? 1 : sent / total
  const rate = elapsed_ms === 0 ? 0 : ((sent - before) / elapsed_ms) * 1000
  const ahead = rate === 0 || elapsed_ms < SETTLED_MS ? "" : `${span((total - sent) / rate)} left`
  const left = done >= 1 ? "waiting for the service" : ahead
  const figures = ` ${String(Math.floor(done * 100)).padStart(3)} %  ${size(sent)} of ${size(total)}  ${size(rate)}/s  ${left}`
  const width = Math.min(30, columns - figures.length - 3)
  const filled = Math.round(done * width)
  return (width < 5 ? figures.trimStart() : `[${"#".repeat(filled)}${"-".repeat(width - filled)}]${figures}`).slice(
    0,
    columns - 1
  )
}

const CLEAR = "\r\u001b[K"

const isTerminal = () => process.stderr.isTTY === true && process.stdout.isTTY === true

/** Notes for a person who watches; a script sees none. */
export const note = (text: string) =>
  Effect.sync(() => {
    if (isTerminal()) process.stderr.write(`${CLEAR}${text}\n`)
  })

interface Watched<A, E, R> {
  readonly total: number
  /** Tells of each part that it sent, of beginning again, or of how much there is by now. */
  readonly work: (progress: {
    readonly sent: (bytes: number) => void
    readonly restart: () => void
    readonly at: (bytes: number) => void
  }) => Effect.Effect<A, E, R>
  /** What to do when the work is interrupted, which may be after all was sent. */
  readonly interrupted: (sent_all: boolean) => Effect.Effect<void>
}

/** Counts the bytes that the work sends, and on a terminal shows them while it runs. */
export const withProgress = <A, E, R>({ total, work, interrupted }: Watched<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Clock.currentTimeMillis, (since) => {
    let sent = 0
    let before: number | undefined
    const draw = Effect.map(Clock.currentTimeMillis, (now) => {
      const columns = process.stderr.columns || 80
      process.stderr.write(`${CLEAR}${bar({ sent, before: before ?? 0, total, elapsed_ms: now - since, columns })}`)
    })
    const shown = Effect.repeat(draw, Schedule.spaced("100 millis")).pipe(
      Effect.ensuring(Effect.sync(() => process.stderr.write(CLEAR)))
    )
    const working = work({
      sent: (bytes) => {
        sent += bytes
      },
      restart: () => {
        sent = 0
      },
      at: (bytes) => {
        before ??= bytes
        sent = bytes
      }
    })
    return Effect.zipRight(isTerminal() ? Effect.forkScoped(shown) : Effect.void, working).pipe(
      Effect.scoped,
      Effect.onInterrupt(() => interrupted(sent === total))
    )
  })
