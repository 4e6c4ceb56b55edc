import { Args, Command, Options } from "@effect/cli"
import { FetchHttpClient, FileSystem, HttpClient, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Console, Effect, Option, Schema, Stream } from "effect"
import * as Checkpoint from "../identity/audit/Checkpoint.ts"
import * as SignedNote from "../identity/audit/SignedNote.ts"
import { type Report, Verification } from "../identity/audit/Verification.ts"
import { client, connection, credentials, ForeignAnswer } from "./Remote.ts"

/** The log is not what the checkpoints say; every line names a difference, the first first. */
class AuditDiffers extends Schema.TaggedError<AuditDiffers>("cli/AuditDiffers")("AuditDiffers", {
  differences: Schema.Array(Schema.String)
}) {
  override get message() {
    return [`the audit log was changed: ${this.differences[0]}`, ...this.differences.slice(1)].join("\n  ")
  }
}

/** A file or an option is not what it has to be. */
class AuditInputInvalid extends Schema.TaggedError<AuditInputInvalid>("cli/AuditInputInvalid")("AuditInputInvalid", {
  input: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.input}: ${this.reason}`
  }
}

const verifierOf = (key: string) => {
  const verifier = SignedNote.verifier(key)
  return verifier === undefined
    ? new AuditInputInvalid({ input: "--key", reason: "expected a public key as `tracepipe audit key` prints it" })
    : Effect.succeed(verifier)
}

/** The checkpoint of a file, its signature checked where a key is given. */
const checkpointIn = (key: SignedNote.Verifier | undefined) => (file: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const invalid = (reason: string) => new AuditInputInvalid({ input: file, reason })
    const note = yield* Effect.mapError(fs.readFileString(file), ({ message }) => invalid(message))
    const checkpoint = Checkpoint.fromNote(note)
    if (checkpoint === undefined) return yield* invalid("is no signed checkpoint")
    if (key !== undefined && !SignedNote.isSignedBy(note, key)) {
      return yield* invalid(`is not signed with the key ${key.name}+${key.id.toString("hex")}`)
    }
    return checkpoint
  })

const linesOf = (file: string) =>
  Stream.unwrap(
    Effect.map(FileSystem.FileSystem, (fs) =>
      fs.stream(file).pipe(
        Stream.decodeText(),
        Stream.splitLines,
        Stream.filter((line) => line !== ""),
        Stream.mapError(({ message }) => new AuditInputInvalid({ input: file, reason: message })),
        Stream.map((line): string | undefined => line)
      )
    )
  )

const reportOf = ({ size, root, checkpoints }: Report, isSigned: boolean) => [
  `${size} entries, root ${Buffer.from(root).toString("hex")}`,
  ...checkpoints.map(
    ({ checkpoint, holds }) =>
      `checkpoint of ${checkpoint.size} entries of ${checkpoint.origin}: ${holds ? "holds" : "DOES NOT HOLD"}`
  ),
  isSigned ? "signatures: valid" : "signatures: not looked at, for no --key was given"
]

const verification = {
  file: Args.file({ name: "export" }).pipe(
    Args.withDescription("JSON Lines: what `tracepipe audit export` writes, without a filter")
  ),
  checkpoints: Options.file("checkpoint").pipe(
    Options.atLeast(1),
    Options.withDescription("a checkpoint that was kept elsewhere; several narrow down where a difference is")
  ),
  key: Options.text("key").pipe(
    Options.optional,
    Options.withDescription("the public key of the log, as `tracepipe audit key` prints it")
  ),
  against: Options.file("against").pipe(
    Options.optional,
    Options.withDescription("an earlier export: the first entry that is no longer the same is named")
  )
}

const verify = Command.make("verify", verification, ({ file, checkpoints, key, against }) =>
  Effect.gen(function* () {
    const verifier = Option.isNone(key) ? undefined : yield* verifierOf(key.value)
    const held = yield* Effect.forEach(checkpoints, checkpointIn(verifier))
    const checking = new Verification(held)
    const earlier = Option.match(against, { onNone: () => Stream.empty, onSome: linesOf })
    yield* Stream.zipAll(linesOf(file), { other: earlier, defaultSelf: undefined, defaultOther: undefined }).pipe(
      Stream.runForEach(([line, before]) => Effect.sync(() => checking.line(line, before)))
    )
    const report = checking.end()
    for (const line of reportOf(report, verifier !== undefined)) yield* Console.log(line)
    if (report.differences.length > 0) return yield* new AuditDiffers({ differences: report.differences })
    if (report.covered === report.size) return yield* Console.log("the log is whole and unchanged")
    yield* Console.log(
      `the log is whole and unchanged up to seq ${report.covered - 1}; what comes after it, up to ${report.size - 1}, agrees with itself, and no checkpoint given here covers it`
    )
  })
).pipe(
  Command.withDescription("recompute the log from an export and hold it against checkpoints, offline; 1 if it differs")
)

const size = Options.integer("size").pipe(
  Options.optional,
  Options.withDescription("the checkpoint of so many entries; the newest, when absent")
)

const checkpoint = Command.make("checkpoint", { ...connection, size }, ({ size, ...options }) =>
  Effect.gen(function* () {
    const { audit } = yield* client(options)
    const found = yield* audit.checkpoint({ urlParams: Option.isNone(size) ? {} : { size: size.value } })
    yield* Console.error(
      `the checkpoint of ${found.size} entries; keep it where nobody who runs the service can change it`
    )
    yield* Effect.sync(() => process.stdout.write(found.note))
  })
).pipe(Command.withDescription("print a signed checkpoint, to be kept elsewhere"))

const key = Command.make("key", connection, (options) =>
  Effect.gen(function* () {
    const { audit } = yield* client(options)
    const { public_key } = yield* audit.checkpoint({ urlParams: {} })
    yield* Console.log(public_key)
  })
).pipe(Command.withDescription("print the public key that checkpoints are verified with"))

const exporting = Command.make("export", connection, (options) =>
  Effect.gen(function* () {
    const { base_url, api_key } = yield* credentials(options)
    const request = HttpClientRequest.get(`${base_url}/v1/audit/logs`).pipe(
      HttpClientRequest.setUrlParams({ format: "jsonl" }),
      HttpClientRequest.setHeader("x-api-key", api_key)
    )
    const answer = yield* HttpClient.execute(request)
    if (answer.status !== 200) {
      return yield* new ForeignAnswer({
        url: base_url,
        detail: `status ${answer.status}: ${(yield* answer.text).slice(0, 300)}`
      })
    }
    yield* HttpClientResponse.stream(Effect.succeed(answer)).pipe(
      Stream.runForEach((bytes) =>
        Effect.async<void>((resume) => {
          process.stdout.write(bytes, () => resume(Effect.void))
        })
      )
    )
  }).pipe(Effect.provide(FetchHttpClient.layer))
).pipe(Command.withDescription("write the sealed log as JSON Lines, in its order"))

/** `tracepipe audit`: takes the log out, and shows that nobody changed it. */
export const auditCommand = Command.make("audit").pipe(
  Command.withDescription("take the audit log out, and verify it offline"),
  Command.withSubcommands([exporting, checkpoint, key, verify])
)
