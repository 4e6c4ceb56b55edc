import { Effect } from "effect"
import { Issue, ValidationError } from "../domain/Errors.ts"
import type { Sink } from "./Intake.ts"
import type { FormHandler } from "./MultipartForm.ts"
import { fieldNames, type RawFields } from "./Upload.ts"

/** Where the parts of a form go once its fields are complete. */
export interface FormTarget<E, R> {
  /** One file, kept as it is. */
  readonly file: (path: string) => Effect.Effect<Sink<E>, E, R>
  /** An archive, expanded below the folder (empty, or ending in a slash). */
  readonly archive: (name: string, folder: string) => Effect.Effect<Sink<E>, E, R>
}

type FieldName = (typeof fieldNames)[number]

const isFieldName = (name: string): name is FieldName => fieldNames.some((known) => known === name)

const wrong = (path: string, message: string) =>
  new ValidationError({ detail: `${path}: ${message}`, errors: [new Issue({ path, message })] })

const isZip = (file_name: string) => /\.zip$/i.test(file_name)

const baseName = (file_name: string) => file_name.split("/").at(-1) ?? file_name

/** The well-known parts have names of their own in the bundle; all others keep the name they came with. */
const place = <E, R>(target: FormTarget<E, R>, name: string, file_name: string): Effect.Effect<Sink<E>, E, R> => {
  switch (name) {
    case "input_events":
      return target.file("input_events.jsonl")
    case "network_traffic":
      return target.file("network_traffic.jsonl")
    case "screenshots":
      return isZip(file_name) ? target.archive(file_name, "screenshots/") : target.file(`screenshots/${baseName(file_name)}`)
    case "bundle":
      return target.archive(file_name, "")
    default:
      return target.file(file_name === "" ? name : file_name)
  }
}

/**
 * The rules of an upload form: fields first and each but once, then files.
 * @param begin checks the fields and opens what the files go to; called once, at the first file
 */
export const uploadForm = <E, R>(
  query: RawFields,
  begin: (fields: RawFields) => Effect.Effect<FormTarget<E, R>, E, R>
) => {
  const fields: { -readonly [Name in keyof RawFields]: RawFields[Name] } = { ...query }
  const given = new Set<string>()
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
    field: (name, value) => {
      if (!isFieldName(name)) return wrong(name, "is not a field; a file part needs a file name")
      if (target !== undefined) return wrong(name, "fields come before the first file")
      if (given.has(name)) return wrong(name, "is given twice")
      given.add(name)
      fields[name] = value
      return Effect.void
    },
    file: (name, file_name) => Effect.flatMap(opened, (to) => place(to, name, file_name ?? ""))
  }
  return { handler, opened } as const
}
