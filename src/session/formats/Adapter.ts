import type { DraftEvent, TimelineUnreadable } from "../../domain/session/Timeline.ts"

/** A file of a recording, as its reader needs to know it. */
export interface RecordedFile {
  /** Its path in the bundle. */
  readonly path: string
  /** Whether it is JSON Lines; else it is one JSON document. */
  readonly json_lines: boolean
}

/**
 * Makes timeline events of one file's bytes as they come, in any chunking, in bounded memory. It never
 * throws: what cannot be read is its `failure`, after the events before it, and it reads no more.
 */
export interface FileReader {
  /** The chunk is not kept. */
  readonly write: (chunk: Uint8Array) => ReadonlyArray<DraftEvent>
  /** Called once, after the last chunk. */
  readonly end: () => ReadonlyArray<DraftEvent>
  readonly failure: TimelineUnreadable | undefined
}

/** What a format is to the timeline: a reader for each of its files. */
export type Adapter = (file: RecordedFile) => FileReader
