import type { Format, SessionFile } from "../domain/session/Session.ts"
import type { DraftEvent } from "../domain/session/Timeline.ts"
import { baseName, extensionOf } from "./BundlePath.ts"
import type { FileReader } from "./formats/Adapter.ts"
import { adapterOf } from "./formats/Adapters.ts"
import { screenshotOf } from "./formats/Browser.ts"
import { type PlaywrightClocks, playwright } from "./formats/Playwright.ts"

/** Where a part of the timeline comes from. */
export type TimelineSource =
  | { readonly from: "file"; readonly path: string; readonly open: () => FileReader }
  | { readonly from: "zip"; readonly path: string }
  | { readonly from: "names"; readonly events: ReadonlyArray<DraftEvent> }

type Listed = Pick<SessionFile, "path" | "line_count">

const declared: ReadonlySet<string> = new Set(["json", "jsonl", "ndjson", "har", "harp", "traj"])
const undeclared: ReadonlySet<string> = new Set(["", "txt", "log", "trace", "bin"])
const images: ReadonlySet<string> = new Set(["png", "jpg", "jpeg", "webp"])

const isTraceFile = (path: string) => /\.(trace|network)$/.test(path)

/** Runner and browser, each with its network: the traces first, for they tell the networks' clock. */
const traceOrder = (path: string) => (path.endsWith(".trace") ? 0 : 1)

/** The sources of the trace files of one Playwright recording. */
export const playwrightSources = <File extends { readonly path: string }>(
  files: ReadonlyArray<File>
): ReadonlyArray<File & { readonly open: () => FileReader }> => {
  const clocks: PlaywrightClocks = new Map()
  return files
    .filter(({ path }) => isTraceFile(path))
    .toSorted((one, other) => traceOrder(one.path) - traceOrder(other.path))
    .map((file) => ({ ...file, open: () => playwright(clocks)({ path: file.path, json_lines: true }) }))
}

/** Archives hold the traces only where they were not expanded beside them. */
const ofPlaywright = (files: ReadonlyArray<Listed>): ReadonlyArray<TimelineSource> => {
  const expanded = playwrightSources(files).map(({ path, open }) => ({ from: "file", path, open }) as const)
  if (expanded.length > 0) return expanded
  return files.filter(({ path }) => extensionOf(path) === "zip").map(({ path }) => ({ from: "zip", path }) as const)
}

const ofScreenshots = (files: ReadonlyArray<Listed>): ReadonlyArray<TimelineSource> => {
  const events = files
    .filter(({ path }) => images.has(extensionOf(path)))
    .map(({ path }) => screenshotOf(path))
    .toSorted((one, other) => Date.parse(one.at ?? "1970-01-01") - Date.parse(other.at ?? "1970-01-01"))
  return events.length === 0 ? [] : [{ from: "names", events }]
}

const reads = (format: Exclude<Format, "playwright.trace">, { path, line_count }: Listed): TimelineSource => ({
  from: "file",
  path,
  open: () => adapterOf(format, path)({ path, json_lines: line_count !== null })
})

const ofBrowser = (files: ReadonlyArray<Listed>): ReadonlyArray<TimelineSource> => [
  ...files
    .filter(({ path }) => /^(input_events|network_traffic)\.jsonl$|\.harp?$/.test(baseName(path)))
    .map((file) => reads("tracepipe.browser/v1", { ...file, line_count: /\.harp?$/.test(file.path) ? null : 0 })),
  ...ofScreenshots(files)
]

/**
 * What the timeline of a session is made of, in the order of the files' paths. Files that are no
 * recording (notes, images of other formats) are none; files whose name does not say that they are JSON
 * only where no other says so.
 */
export const timelineSources = (format: Format, files: ReadonlyArray<Listed>): ReadonlyArray<TimelineSource> => {
  if (format === "tracepipe.browser/v1") return ofBrowser(files)
  if (format === "playwright.trace") return ofPlaywright(files)
  const named = files.filter(({ path }) => declared.has(extensionOf(path)))
  const chosen = named.length > 0 ? named : files.filter(({ path }) => undeclared.has(extensionOf(path)))
  return [...chosen.map((file) => reads(format, file)), ...ofScreenshots(files)]
}
