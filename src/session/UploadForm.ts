import { Effect, Either } from "effect"
import { Issue, ValidationError } from "../domain/Errors.ts"
import { baseName, bundlePath } from "./BundlePath.ts"
import type { Sink } from "./Intake.ts"
import type { FormHandler } from "./MultipartForm.ts"
import { fieldNames, type RawFields } from "./Upload.ts"

/** Where the parts of a form go once its fields are complete. */
export interface FormTarget<E, R> {
  /** One file, kept as it is. */
  readonly file: (path: string) => Effect.Effect<Sink<E>, E, R>
  /** A file, or an archive that is expanded below the folder (empty, or ending in a slash). */
  readonly archive: (name: string, folder: string) => Effect.Effect<Sink<E>, E, R>
}

type FieldName = (typeof fieldNames)[number]

const isFieldName = (name: string): name is FieldName => fieldNames.some((known) => known === name)

const wrong = (path: string, message: string) =>
  new ValidationError({ detail: `${path}: ${message}`, errors: [new Issue({ path, message })] })

/** The well-known parts have names of their own in the bundle; all others keep the name they came with. */
const place = <E, R>(target: FormTarget<E, R>, name: string, file_name: string): Effect.Effect<Sink<E>, E, R> => {
  switch (name) {
    case "input_events":
      return target.file("input_events.jsonl")
    case "network_traffic":
      return target.file("network_traffic.jsonl")
    case "screenshots":
      // Whatever folder it came from, it goes into that of its kind; a name that is refused, nowhere.
      return Either.isLeft(bundlePath(file_name))
        ? target.file(file_name)
        : target.archive(baseName(file_name), "screenshots/")
    case "bundle":
      return target.archive(file_name, "")
    default:
      return target.file(file_name)
  }
}

/** Opens the sink with the first byte: a file input that nothing was chosen for is sent without name and bytes. */
const onceFilled = <E, R>(open: Effect.Effect<Sink<E>, E, R>): Effect.Effect<Sink<E>, never, R> =>
  Effect.map(Effect.context<R>(), (context) => {
    let sink: Sink<E> | undefined
    const opened = Effect.map(Effect.provide(open, context), (made) => {
      sink = made
      return made
    })
    return {
      write: (chunk) => (sink === undefined ? Effect.flatMap(opened, (made) => made.write(chunk)) : sink.write(chunk)),
      end: Effect.suspend(() => sink?.end ?? Effect.void)
    }
  })

/**
 * The rules of an upload form: fields first and each but once, then files.
 * @param query fields that the URL gives already
 * @param begin checks the fields and opens what the files go to; called once, at the first file
 */
export const uploadForm = <E, R>(
  query: RawFields,
  begin: (fields: RawFields) => Effect.Effect<FormTarget<E, R>, E, R>
) => {
  const fields: { -readonly [Name in keyof RawFields]: RawFields[Name] } = { ...query }
  let target: FormTarget<E, R> | undefined

  /** Opens the target with the fields that came, if that did not happen yet. */
  const opened = Effect.suspend(() =>
    target === undefined
      ? Effect.tap(begin(fields), (made) =>
          Effect.sync(() => {
            target = made
          })
        )
      : Effect.succeed(target)
  )

  const handler: FormHandler<E | ValidationError, R> = {
    isField: isFieldName,
    field: (name, value) => {
      if (!isFieldName(name)) return wrong(name, "is not a field; a file part needs a file name")
      if (target !== undefined) return wrong(name, "fields come before the first file")
      if (fields[name] !== undefined) return wrong(name, "is given twice")
      fields[name] = value
      return Effect.void
    },
    file: (name, file_name) =>
      file_name === ""
        ? onceFilled(Effect.flatMap(opened, (to) => place(to, name, name)))
        : Effect.flatMap(opened, (to) => place(to, name, file_name))
  }
  return { handler, opened } as const
}
