import type { DraftEvent, EventSource } from "../../domain/session/Timeline.ts"
import type { Adapter } from "./Adapter.ts"
import { entryOf } from "./Har.ts"
import { actionOf } from "./PlaywrightActions.ts"
import { note, type Place, recordReading } from "./Reading.ts"
import { ReorderWindow } from "./ReorderWindow.ts"
import { extraOf, isMembers, type Members, numberOf, shown, textOf, timeOf, timeOfMs } from "./Values.ts"

/** What a trace's monotonic milliseconds are from 1970 on, by its path without the ending; its network has the same. */
export type PlaywrightClocks = Map<string, number>

type Timed = (at: string | null) => DraftEvent

interface Call {
  readonly before: Members
  readonly place: Place
  after: Members
}

const window = { items: 256, bytes: 8 * 1024 * 1024 }
/** Calls that wait for their end; an unending one is told without it. */
const MAX_OPEN_CALLS = 1000

const callKeys: ReadonlySet<string> = new Set(["type", "callId", "startTime", "wallTime"])
const afterKeys: ReadonlySet<string> = new Set(["type", "callId", "point"])

const methodOf = (call: Members): string => textOf(call.method) ?? textOf(call.apiName)?.split(".").at(-1) ?? "unknown"

/** Steps of the test runner are told beside the browser's calls that they made, joined by `stepId`. */
const isRunnerStep = (call: Members) => call.class === "Test"

const callEvent = ({ before, after, place }: Call, at: string | null): DraftEvent => {
  const params = isMembers(before.params) ? before.params : {}
  const extra = { ...extraOf(before, callKeys), callId: before.callId, ...extraOf(after, afterKeys) }
  const action = isRunnerStep(before) ? undefined : actionOf(methodOf(before), params, after.point ?? before.point)
  if (action !== undefined) return { kind: "input", at, source: place.source, ...action, extra }
  const name = isRunnerStep(before) ? "step" : `${textOf(before.class) ?? "call"}.${methodOf(before)}`
  return note(name, extra, place.source, at)
}

/** The clock of one trace: what is told of both, wall and monotonic time. */
const clockOf = (line: Members): number | undefined => {
  const wall = numberOf(line.wallTime)
  const own = numberOf(line.monotonicTime) ?? (line.type === "before" ? numberOf(line.startTime) : null)
  return wall === null || own === null ? undefined : wall - own
}

/** Time of a line in the trace's own milliseconds. */
const ownTime = (line: Members): number | null =>
  numberOf(line.startTime ?? line.time ?? line.timestamp ?? line.endTime ?? line.monotonicTime)

/** `.trace` and `.network` files of Playwright, versions 3 to 8. */
export const playwright = (clocks: PlaywrightClocks): Adapter =>
  recordReading((emit, file) => {
    const context = file.path.replace(/\.(trace|network)$/, "")
    const folder = file.path.slice(0, file.path.lastIndexOf("/") + 1)
    const waiting = new ReorderWindow<{ readonly time: number | null; readonly event: Timed }>(window)
    const calls = new Map<string, Call>()

    const flush = (ended: boolean) => {
      for (let next = waiting.pop(ended); next !== undefined; next = waiting.pop(ended)) {
        const offset = clocks.get(context)
        emit(next.event(offset === undefined || next.time === null ? null : timeOfMs(offset + next.time)))
      }
    }
    const tell = (time: number | null, { bytes }: Place, event: Timed) => waiting.push(time, bytes, { time, event })
    const close = (call: Call) =>
      tell(ownTime(call.before), call.place, (at) => callEvent(call, timeOf(numberOf(call.before.wallTime)) ?? at))

    const begin = (line: Members, place: Place) => {
      const id = shown(line.callId) ?? ""
      const [oldest] = calls.keys()
      const given_up = calls.has(id) ? id : calls.size >= MAX_OPEN_CALLS ? oldest : undefined
      const call = given_up === undefined ? undefined : calls.get(given_up)
      if (given_up !== undefined && call !== undefined) {
        calls.delete(given_up)
        close(call)
      }
      calls.set(id, { before: line, after: {}, place })
    }

    const snapshot = (line: Members, source: EventSource, place: Place) => {
      const entry = isMembers(line.snapshot) ? line.snapshot : {}
      tell(numberOf(entry._monotonicTime), place, (at) => entryOf(entry, source, at))
    }

    const record = (line: Members, place: Place) => {
      const { source } = place
      const offset = clockOf(line)
      if (offset !== undefined && !clocks.has(context)) clocks.set(context, offset)
      const call = calls.get(shown(line.callId) ?? "")
      switch (line.type) {
        case "before":
          return begin(line, place)
        case "input":
          if (call === undefined) break
          call.after = { ...call.after, ...line }
          return
        case "after":
          if (call === undefined) break
          calls.delete(shown(line.callId) ?? "")
          call.after = { ...call.after, ...line }
          return close(call)
        case "action": {
          // Versions up to 3 told a call at once.
          const before = isMembers(line.metadata) ? line.metadata : line
          return close({ before: { class: before.type, ...before }, after: {}, place })
        }
        case "resource-snapshot":
          return snapshot(line, source, place)
        case "screencast-frame": {
          const path = `${folder}resources/${shown(line.sha1) ?? ""}`
          const extra = { ...line }
          return tell(ownTime(line), place, (at) => ({ kind: "screenshot", at, path, source, extra }))
        }
      }
      const inner = isMembers(line.snapshot) ? ownTime(line.snapshot) : null
      tell(ownTime(line) ?? inner, place, (at) =>
        note(shown(line.type) ?? "line", line, source, timeOf(numberOf(line.wallTime)) ?? at)
      )
    }

    return {
      record: (value, place) => {
        if (isMembers(value)) record(value, place)
        else tell(null, place, (at) => note("line", value, place.source, at))
        flush(false)
      },
      end: () => {
        for (const call of calls.values()) close(call)
        flush(true)
      }
    }
  })
