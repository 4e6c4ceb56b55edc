import type { Message } from "@a2a-js/sdk"
import { Effect, Either } from "effect"
import { Discovery } from "../capability/Discovery.ts"
import { Issue } from "../domain/Errors.ts"
import { Batches } from "../example/Batches.ts"
import { ExampleSearch } from "../example/ExampleSearch.ts"
import { Examples } from "../example/Examples.ts"
import { Uploads } from "../session/Uploads.ts"
import type { FilePart, Skill, SkillCard } from "./Skill.ts"
import * as CheckAccess from "./skills/CheckAccess.ts"
import * as CreateExamples from "./skills/CreateExamples.ts"
import * as FindExamples from "./skills/FindExamples.ts"
import * as FindTools from "./skills/FindTools.ts"
import * as IngestSession from "./skills/IngestSession.ts"
import type { Json } from "./Wire.ts"

/** Everything that can be done for an agent: what the agent card lists. */
export const skills: ReadonlyArray<SkillCard> = [
  IngestSession.card,
  CreateExamples.card,
  FindExamples.card,
  FindTools.card,
  CheckAccess.card
]

/** What a message asks for, or why it cannot be told. */
export type Choice =
  | { readonly _tag: "Chosen"; readonly skill: Skill; readonly input: Json; readonly files: ReadonlyArray<FilePart> }
  | {
      readonly _tag: "Refused"
      readonly skill: string | null
      readonly reason: string
      readonly errors: ReadonlyArray<Issue>
    }

const names = skills.map(({ id }) => id).join(", ")

const refused = (path: string, message: string, skill: string | null = null): Choice => ({
  _tag: "Refused",
  skill,
  reason: `${path}: ${message}`,
  errors: [new Issue({ path, message })]
})

/** A part that has no name is called by the end of its address, or by what it is. */
const nameOf = (filename: string, media_type: string, url?: string): string => {
  if (filename !== "") return filename
  const last = url !== undefined && URL.canParse(url) ? new URL(url).pathname.split("/").at(-1) : undefined
  if (last !== undefined && last !== "") return last
  if (media_type === "application/json") return "recording.json"
  return media_type === "application/x-ndjson" || media_type === "application/jsonl" ? "recording.jsonl" : "recording"
}

/** The files of a message, in its order. */
export const filesOf = ({ parts }: Message): ReadonlyArray<FilePart> =>
  parts.flatMap(({ content, filename, mediaType: media_type }): ReadonlyArray<FilePart> => {
    if (content?.$case === "raw") {
      return [{ name: nameOf(filename, media_type), media_type, content: { bytes: content.value } }]
    }
    if (content?.$case !== "url") return []
    const url = content.value
    return [{ name: nameOf(filename, media_type, url), media_type, content: { url } }]
  })

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const wrong = (message: string) => Either.left(refused("parts", message))

/** A DataPart `{ skill, input }`, from among those parts of a message that are data. */
const request = (message: Message): Either.Either<Json, Choice> => {
  const data = message.parts.flatMap(({ content }) => (content?.$case === "data" ? [content.value] : []))
  const [only] = data
  if (data.length === 0) {
    return wrong(`a DataPart { "skill": …, "input": { … } } is needed; the skills are ${names}`)
  }
  if (data.length > 1) return wrong("only one DataPart is taken: { skill, input }")
  return isObject(only) ? Either.right(only) : wrong("the DataPart must be an object: { skill, input }")
}

/** The skills with what carries them out. */
export class Skills extends Effect.Service<Skills>()("a2p/Skills", {
  dependencies: [Uploads.Default, Batches.Default, Examples.Default, ExampleSearch.Default, Discovery.Default],
  effect: Effect.gen(function* () {
    const all = new Map(
      [
        yield* IngestSession.ingestSession,
        yield* CreateExamples.createExamples,
        yield* FindExamples.findExamples,
        yield* FindTools.findTools,
        CheckAccess.checkAccess
      ].map((skill) => [skill.id, skill] as const)
    )

    const find = (id: string): Skill | undefined => all.get(id)

    /** What a message asks for. */
    const choose = (message: Message): Choice => {
      const data = request(message)
      if (Either.isLeft(data)) return data.left
      const { skill: id, input = {}, ...rest } = data.right
      const skill = typeof id === "string" ? find(id) : undefined
      if (skill === undefined) return refused("skill", `must be one of ${names}`)
      const [unknown] = Object.keys(rest)
      if (unknown !== undefined)
        return refused(unknown.slice(0, 100), "is not known: a request is { skill, input }", skill.id)
      const files = filesOf(message)
      const errors = skill.check(input, files)
      const [first] = errors
      if (first === undefined) return { _tag: "Chosen", skill, input: Object(input), files }
      const reason = errors.map(({ path, message: what }) => `${path}: ${what}`).join("; ")
      return { _tag: "Refused", skill: skill.id, reason, errors }
    }

    return { find, choose } as const
  })
}) {}
