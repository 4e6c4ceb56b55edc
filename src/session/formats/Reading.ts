import { type DraftEvent, type EventSource, type NoteEvent, TimelineUnreadable } from "../../domain/session/Timeline.ts"
import type { FileReader, RecordedFile } from "./Adapter.ts"
import { pathTree } from "./ElementPaths.ts"
import { JsonElements } from "./JsonElements.ts"
import { JsonLineReader } from "./JsonLineReader.ts"
import type { Members } from "./Values.ts"
import { walkElements } from "./WalkElements.ts"

export type Emit = (event: DraftEvent) => void

/** Where a value stands, and how long it is in the recording. */
export interface Place {
  readonly source: EventSource
  readonly bytes: number
}

/** What a format does with the values of a file. What it makes of them it gives to the `emit` that it was made with. */
export interface ValueHandler {
  /** A value at one of the paths; a line, or a document, that has none of them is at the empty path. */
  readonly element: (path: string, value: unknown, place: Place, around: ReadonlyArray<Members>) => void
  /** The object at `path` has ended: its members that are on no path. */
  readonly object: (path: string, members: Members, place: Place, around: ReadonlyArray<Members>) => void
  /** The file has ended well. */
  readonly end?: () => void
}

interface ReadingOptions {
  /** Where the elements of a document are: `log.entries[*]`. */
  readonly paths: ReadonlyArray<string>
  /** Whether there may be text before a document, as in JSONP. */
  readonly prefix?: boolean
}

/** A reader of a file that is JSON Lines, each line a value or a whole document, or one JSON document. */
export const reading =
  (options: ReadingOptions, open: (emit: Emit, file: RecordedFile) => ValueHandler) =>
  (file: RecordedFile): FileReader => {
    const tree = pathTree(options.paths)
    let events: Array<DraftEvent> = []
    const handler = open((event) => events.push(event), file)
    const whole: EventSource = { file: file.path, line: null }
    const elementsOf = (source: EventSource) => ({
      element: (path: string, value: unknown, around: ReadonlyArray<Members>, bytes: number) =>
        handler.element(path, value, { source, bytes }, around),
      object: (path: string, members: Members, around: ReadonlyArray<Members>) =>
        handler.object(path, members, { source, bytes: 0 }, around)
    })
    const input = file.json_lines
      ? new JsonLineReader((value, line, bytes) =>
          walkElements(tree, value, elementsOf({ file: file.path, line }), bytes)
        )
      : new JsonElements(tree, elementsOf(whole), { prefix: options.prefix ?? false })
    let failure: TimelineUnreadable | undefined
    const taken = () => {
      const made = events
      events = []
      if (input.problem !== undefined)
        failure ??= new TimelineUnreadable({ file: file.path, line: null, ...input.problem })
      return made
    }
    return {
      write: (chunk) => {
        if (failure === undefined) input.write(chunk)
        return taken()
      },
      end: () => {
        input.end()
        if (input.problem === undefined) handler.end?.()
        return taken()
      },
      get failure() {
        return failure
      }
    }
  }

/** A reader of records that are lines, or elements of an array, or a document that is one record. */
export const recordReading = (
  open: (
    emit: Emit,
    file: RecordedFile
  ) => {
    readonly record: (value: unknown, place: Place) => void
    readonly end?: () => void
  }
) =>
  reading({ paths: ["[*]"] }, (emit, file) => {
    const { record, end } = open(emit, file)
    return {
      element: (_path, value, place) => record(value, place),
      object: (_path, members, place) => record(members, place),
      ...(end === undefined ? {} : { end })
    }
  })

/** What a format has no other place for. */
export const note = (
  name: string,
  data: unknown,
  source: EventSource,
  at: string | null = null
): Omit<NoteEvent, "seq"> => ({
  kind: "note",
  at,
  name,
  data,
  source
})

/**
 * The members of a document's outermost object, as one note before its first element and, should any
 * come after it, another at the end.
 */
export const documentNote = (emit: Emit, name: string) => {
  let told: ReadonlySet<string> | undefined
  return {
    before: (members: Members | undefined, { source }: Place): void => {
      if (told !== undefined) return
      const keys = Object.keys(members ?? {})
      told = new Set(keys)
      if (keys.length > 0) emit(note(name, { ...members }, source))
    },
    after: (members: Members, { source }: Place): void => {
      const rest = Object.entries(members).filter(([key]) => told?.has(key) !== true)
      told = undefined
      if (rest.length > 0) emit(note(name, Object.fromEntries(rest), source))
    }
  }
}
