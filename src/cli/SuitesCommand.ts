import { Args, Command } from "@effect/cli"
import { FileSystem } from "@effect/platform"
import { Console, Effect, ParseResult, Schema } from "effect"
import { Surface } from "../domain/capability/Surface.ts"
import { client, connection } from "./Remote.ts"
import { apply } from "./surface/Apply.ts"
import { columns } from "./Table.ts"

/** The file is not there, or is no surface; every line says what is wrong where. */
class SurfaceInvalid extends Schema.TaggedError<SurfaceInvalid>("cli/SurfaceInvalid")("SurfaceInvalid", {
  file: Schema.String,
  reasons: Schema.Array(Schema.String)
}) {
  override get message() {
    return [`${this.file} is not a surface that can be applied:`, ...this.reasons.map((line) => `  ${line}`)].join("\n")
  }
}

const decode = Schema.decodeUnknown(Schema.parseJson(Surface), { errors: "all" })

const surfaceOf = (file: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const invalid = (...reasons: ReadonlyArray<string>) => new SurfaceInvalid({ file, reasons })
    const text = yield* Effect.mapError(fs.readFileString(file), ({ message }) => invalid(message))
    return yield* Effect.mapError(decode(text), (error) =>
      invalid(
        ...new Set(
          ParseResult.ArrayFormatter.formatErrorSync(error).map(({ path, message }) =>
            path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`
          )
        )
      )
    )
  })

const file = Args.file({ name: "file", exists: "either" }).pipe(
  Args.withDescription(
    "JSON: { suite: { name, actions }, servers: [{ name, tools }], maps: [{ name, server, mappings }] }"
  )
)

const applyCommand = Command.make("apply", { ...connection, file }, ({ file, ...options }) =>
  Effect.gen(function* () {
    const surface = yield* surfaceOf(file)
    const applied = yield* apply(yield* client(options), surface)
    yield* Console.log(columns(applied.map(({ kind, name, change, detail }) => [change, kind, name, detail])))
  })
).pipe(Command.withDescription("make a suite, its MCP servers and its maps what a file says; twice is as good as once"))

/** `tracepipe suites`: an application's surface from a file under version control. */
export const suitesCommand = Command.make("suites").pipe(
  Command.withDescription("keep an application's actions, tools and maps in a file"),
  Command.withSubcommands([applyCommand])
)
