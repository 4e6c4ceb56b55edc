import type { DraftEvent } from "../../domain/session/Timeline.ts"
import type { Adapter } from "./Adapter.ts"
import { documentNote, note, type Place, reading } from "./Reading.ts"
import { ReorderWindow } from "./ReorderWindow.ts"
import { TraceRequests } from "./TraceRequests.ts"
import { isMembers, type Members, numberOf, others, shown, textOf, timeOf, timeOfMs } from "./Values.ts"

/** Threads write their events in blocks, each for itself. */
const window = { items: 4096, bytes: 16 * 1024 * 1024 }

const dataKeys: ReadonlySet<string> = new Set(["type"])

interface Input {
  readonly type: string
  readonly data: Members
  /** Which of the ways to tell of the same input this is: the higher, the more it tells. */
  readonly rank: number
}

const argsOf = (event: Members): Members => (isMembers(event.args) ? event.args : {})
const dataOf = (event: Members): Members => {
  const { data } = argsOf(event)
  return isMembers(data) ? data : {}
}

const latencyTypes: ReadonlyMap<string, string> = new Map([
  ["MouseDown", "mousedown"],
  ["MouseUp", "mouseup"],
  ["MouseMove", "mousemove"],
  ["MouseWheel", "scroll"],
  ["GestureScrollUpdate", "scroll"],
  ["GestureTap", "click"],
  ["TouchStart", "touchstart"],
  ["TouchEnd", "touchend"],
  ["TouchMove", "touchmove"],
  ["KeyDown", "keydown"],
  ["RawKeyDown", "keydown"],
  ["KeyUp", "keyup"],
  ["Char", "keypress"]
])

const begins = (event: Members) => event.ph !== "e" && event.ph !== "F" && event.ph !== "E"

/** What Chrome tells of an input, in the four ways it has had. */
const inputOf = (event: Members): Input | undefined => {
  const name = textOf(event.name) ?? ""
  const data = dataOf(event)
  if (name === "EventTiming" && textOf(data.type) !== null) return { type: String(data.type), data, rank: 4 }
  if (name === "EventDispatch" && textOf(data.type) !== null) return { type: String(data.type), data, rank: 3 }
  const latency = argsOf(event).event_latency
  if (name === "EventLatency" && isMembers(latency) && begins(event)) {
    const type = (textOf(latency.event_type) ?? "").toLowerCase().replaceAll("_", "")
    return { type: type.replace("pressed", "down").replace("released", "up"), data: latency, rank: 2 }
  }
  if (!name.startsWith("InputLatency::") || !begins(event)) return undefined
  const kind = name.slice("InputLatency::".length)
  return { type: latencyTypes.get(kind) ?? kind.toLowerCase(), data: argsOf(event), rank: 1 }
}

/** The end of an `EventTiming` says nothing that its beginning did not. */
const isBareEnd = (event: Members) =>
  event.name === "EventTiming" && event.ph === "e" && Object.keys(argsOf(event)).length === 0

const navigatedTo = (event: Members): string | null => {
  if (event.name !== "navigationStart") return null
  const data = dataOf(event)
  const isMain = data.isOutermostMainFrame ?? data.isLoadingMainFrame ?? true
  const url = textOf(data.documentLoaderURL)
  return isMain === true && url !== null && url !== "" ? url : null
}

/**
 * Trace events of Chrome, `{ traceEvents }` or a bare array. Their clock counts from an unknown moment:
 * they have a time only where the recording's own, in the metadata, comes before them.
 */
export const chromeTrace: Adapter = reading({ paths: ["traceEvents[*]", "[*]"] }, (emit) => {
  const about = documentNote(emit, "trace")
  const waiting = new ReorderWindow<(rank: number) => DraftEvent>(window)
  const requests = new TraceRequests()
  let best = 0
  let number = 0
  let wallStart: number | undefined
  let firstTs: number | undefined

  const timeAt = (ts: number | null): string | null => {
    if (ts === null || wallStart === undefined || ts === 0) return null
    firstTs ??= ts
    return timeOfMs(wallStart + (ts - firstTs) / 1000)
  }
  const flush = (ended: boolean) => {
    for (let make = waiting.pop(ended); make !== undefined; make = waiting.pop(ended)) emit(make(best))
  }
  const started = (metadata: unknown) => {
    const time = isMembers(metadata) ? timeOf(metadata.startTime) : null
    if (time !== null) wallStart ??= Date.parse(time)
  }

  const eventAt = (event: Members, { source }: Place, at: string | null) => {
    const here = { at, source }
    const nowhere = { target: null, value: null, key: null, url: null, x: null, y: null }
    const url = navigatedTo(event)
    if (url !== null)
      return (): DraftEvent => ({ kind: "input", ...here, ...nowhere, type: "navigate", url, extra: event })
    if (event.name === "Screenshot") {
      const path = `${source.file}#/traceEvents/${number - 1}/args/snapshot`
      const { args: _image, ...extra } = event
      return (): DraftEvent => ({ kind: "screenshot", ...here, path, extra })
    }
    const input = inputOf(event)
    const raw = (): DraftEvent => note(shown(event.name) ?? "event", event, source, at)
    if (input === undefined) return raw
    best = Math.max(best, input.rank)
    const { type, data, rank } = input
    const key = textOf(data.key)
    const place = { x: numberOf(data.x), y: numberOf(data.y) }
    const extra = { name: event.name, ts: event.ts, ...others(data, dataKeys).extra }
    return (told: number): DraftEvent =>
      rank < told ? raw() : { kind: "input", ...here, ...nowhere, ...place, type, key, extra }
  }

  const take = (event: Members, place: Place) => {
    if (isBareEnd(event)) return
    const ts = numberOf(event.ts)
    const at = timeAt(ts)
    const ended = requests.take(event, place, at)
    if (ended === "kept") return
    if (ended !== undefined) waiting.push(ended.ts, place.bytes, () => ended.event)
    else waiting.push(event.ph === "M" ? null : ts, place.bytes, eventAt(event, place, at))
  }

  return {
    element: (_path, value, place, around) => {
      about.before(around[0], place)
      started(around[0]?.metadata)
      number++
      if (isMembers(value)) take(value, place)
      else waiting.push(null, place.bytes, () => note("event", value, place.source))
      flush(false)
    },
    object: (_path, members, place) => about.after(members, place),
    end: () => {
      for (const { ts, event } of requests.rest()) waiting.push(ts, 0, () => event)
      flush(true)
    }
  }
})
