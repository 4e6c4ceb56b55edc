import type { Artifact, Message, Part } from "@a2a-js/sdk"
import { Effect, Either, JSONSchema, ParseResult, Schema } from "effect"
import { plain } from "../api/PlainSchemas.ts"
import type { Task } from "../domain/a2p/Task.ts"
import { Issue } from "../domain/Errors.ts"
import type { A2pTaskId, JobId } from "../domain/Ids.ts"
import type { CurrentPrincipal, Scope } from "../domain/Principal.ts"
import { dataPart, type Json } from "./Wire.ts"

/** What the agent card says of a skill, and what is asked of who uses it. */
export interface SkillCard {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly tags: ReadonlyArray<string>
  readonly examples: ReadonlyArray<string>
  /** JSON Schemas of `input` in the caller's DataPart, and of the DataPart in the answer's artifact. */
  readonly inputSchema: Json
  readonly outputSchema: Json
  /** Needed besides `a2p:use`. */
  readonly scopes: ReadonlyArray<Scope>
}

/** A file of the message: its bytes, or where they are. */
export interface FilePart {
  readonly name: string
  readonly media_type: string
  readonly content: { readonly bytes: Uint8Array } | { readonly url: string }
}

/** What a skill is asked for. */
export interface Asked {
  readonly id: A2pTaskId
  readonly input: Json
  /** The newest of the caller's, as its row keeps it. */
  readonly message: Message
  readonly files: ReadonlyArray<FilePart>
  /** What was begun for it before. */
  readonly job_id: JobId | null
}

/** What became of a task. */
export interface Outcome {
  readonly _tag: "Outcome"
  readonly state: Exclude<Task["state"], "TASK_STATE_SUBMITTED" | "TASK_STATE_WORKING">
  /** Of the message that goes with the state. */
  readonly parts?: ReadonlyArray<Part>
  readonly artifacts?: ReadonlyArray<Artifact>
}

/** Something that was begun goes on by itself: it is looked at again. */
export interface Later {
  readonly _tag: "Later"
  readonly job_id: JobId
  /** How far it is, for people. */
  readonly progress: string
}

/** Any failure of a service: told to the caller where it is one of the contract. */
export interface Failure {
  readonly _tag: string
  readonly message: string
}

/** What can be done for an agent. */
export interface Skill extends SkillCard {
  /** What is wrong with the input; nothing is done for it then. */
  readonly check: (input: unknown, files: ReadonlyArray<FilePart>) => ReadonlyArray<Issue>
  /** Whether it takes longer than a request should, and is a durable job. What it then needs stands on its row. */
  readonly isLong: (files: ReadonlyArray<FilePart>) => boolean
  readonly run: (asked: Asked) => Effect.Effect<Outcome | Later, Failure, CurrentPrincipal>
  /** Ends what goes on by itself, where something does; it may have been begun without being noted. */
  readonly cancel: (begun: Pick<Asked, "id" | "job_id">) => Effect.Effect<void, Failure, CurrentPrincipal>
}

interface Declared<I, IE, O, OE>
  extends Pick<SkillCard, "id" | "name" | "description" | "tags" | "examples" | "scopes"> {
  readonly input: Schema.Schema<I, IE>
  readonly output: Schema.Schema<O, OE>
  /** What is to be said of the files that came with the input; without it, there are to be none. */
  readonly files?: (files: ReadonlyArray<FilePart>) => ReadonlyArray<Issue>
}

interface Implemented<I, O> {
  readonly run: (input: I, asked: Asked) => Effect.Effect<O | Later | Outcome, Failure, CurrentPrincipal>
  readonly isLong?: (files: ReadonlyArray<FilePart>) => boolean
  readonly cancel?: Skill["cancel"]
}

const jsonSchema = <A, I>(schema: Schema.Schema<A, I>): Json => plain(JSONSchema.make(schema))

const maxIssues = 20

/** What is wrong, by field; of a field that may be several things, once. */
const issuesOf = (error: ParseResult.ParseError): ReadonlyArray<Issue> => {
  const found = ParseResult.ArrayFormatter.formatErrorSync(error)
  const byPath = Map.groupBy(found, ({ path }) => ["input", ...path.map(String)].join("."))
  return [...byPath]
    .slice(0, maxIssues)
    .map(([path, issues]) => new Issue({ path, message: (issues[0]?.message ?? "").slice(0, 300).toWellFormed() }))
}

const noFiles = (files: ReadonlyArray<FilePart>) =>
  files.length === 0 ? [] : [new Issue({ path: "files", message: "this skill takes no files" })]

/** The artifact that holds a skill's answer. */
export const answer = (task_id: string, skill: SkillCard, data: Json): Artifact => ({
  artifactId: `${task_id}-answer`,
  name: skill.id,
  description: skill.name,
  parts: [dataPart(data)],
  metadata: undefined,
  extensions: []
})

const isOutcome = (value: unknown): value is Outcome | Later =>
  typeof value === "object" && value !== null && "_tag" in value && (value._tag === "Outcome" || value._tag === "Later")

/** Declares a skill by the schemas of its input and its output; the answer gets what carries it out. */
export const declare = <I, IE, O, OE>({ input, output, files = noFiles, ...card }: Declared<I, IE, O, OE>) => {
  const shown: SkillCard = { ...card, inputSchema: jsonSchema(input), outputSchema: jsonSchema(output) }
  const decode = Schema.decodeUnknownEither(input, { errors: "all", onExcessProperty: "error" })
  const encode = Schema.encode(output)
  const implement = ({ run, isLong = () => false, cancel = () => Effect.void }: Implemented<I, O>): Skill => ({
    ...shown,
    check: (value, given) => [...Either.match(decode(value), { onLeft: issuesOf, onRight: () => [] }), ...files(given)],
    isLong,
    cancel,
    run: (asked) =>
      Effect.gen(function* () {
        // It was checked before there was a task of it.
        const value = yield* Effect.orDie(decode(asked.input))
        const came = yield* run(value, asked)
        if (isOutcome(came)) return came
        const data: unknown = yield* Effect.orDie(encode(came))
        return {
          _tag: "Outcome",
          state: "TASK_STATE_COMPLETED",
          artifacts: [answer(asked.id, shown, Object(data))]
        } satisfies Outcome
      })
  })
  return { card: shown, implement } as const
}
