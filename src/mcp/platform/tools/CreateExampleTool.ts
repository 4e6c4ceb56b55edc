import { Cause, Effect, Schema } from "effect"
import { CreateExample, Example, ExampleStage } from "../../../domain/example/Example.ts"
import { lexicalModelId } from "../../../domain/example/Model.ts"
import { type ExampleId, ModelId } from "../../../domain/Ids.ts"
import { CurrentPrincipal, holds } from "../../../domain/Principal.ts"
import { Examples } from "../../../example/Examples.ts"
import type { Progress } from "../../Surface.ts"
import { output, tool } from "../Tool.ts"
import { exampleNotes } from "./ExampleNotes.ts"

/** Callers give up on a call after a minute, as a rule. */
const longestWait = "50 seconds"
const pause = "250 millis"

const stages = ExampleStage.literals

type State = Pick<Example, "status" | "stage">

const isOpen = ({ status }: State) => status === "PENDING" || status === "RUNNING"

/** How many of its stages an example has behind it. */
const passed = ({ status, stage }: State): number => {
  if (!isOpen({ status, stage })) return stages.length
  return stage === null ? 0 : stages.indexOf(stage)
}

const Wanted = Schema.Struct({
  session_id: CreateExample.fields.session_id,
  model_id: Schema.optionalWith(ModelId, { default: () => lexicalModelId }).annotations({
    description: "The model that recognises the actions; without it BUILTIN/lexical, which needs no provider"
  }),
  action_tool_map_id: Schema.optionalWith(CreateExample.fields.action_tool_map_id.from, { exact: true }).annotations({
    description: "The map to go through, one that get_suite shows; without it, the only map of the session's suite"
  }),
  model_configuration: CreateExample.fields.model_configuration.annotations({
    description: "What a language model is run with, such as its temperature; any JSON object up to 16 KiB"
  }),
  range: CreateExample.fields.range.annotations({
    description: "The part of the session's timeline that the example is of; without it, the whole"
  }),
  wait: Schema.optionalWith(Schema.Boolean, { default: () => true }).annotations({
    description: `Whether to answer when the example is finished (after ${longestWait} with its state then), or at once`,
    default: true
  })
})

/** Makes a session into an example, and waits for it. */
export const createExampleTool = Effect.gen(function* () {
  const examples = yield* Examples

  /** Looks until the example is finished, and tells of each further stage. */
  const finished = (id: ExampleId, progress: Progress) =>
    Effect.gen(function* () {
      let told = -1
      const look = Effect.tap(examples.get(id), (example) => {
        const behind = passed(example)
        if (behind <= told) return Effect.void
        told = behind
        const message =
          isOpen(example) && example.stage !== null ? `${example.status}: ${example.stage}` : example.status
        return progress({ progress: behind, total: stages.length, message })
      })
      return yield* Effect.iterate(yield* look, { while: isOpen, body: () => Effect.delay(look, pause) })
    })

  return tool({
    name: "create_example",
    title: "Make a session into an example",
    description:
      "Makes a training example out of a READY session: recognises what was done, and writes it as a conversation whose assistant calls the tools that the suite's actions are mapped to. Waits until it is finished, unless `wait` is false; one that is not finished goes on by itself.",
    input: Wanted,
    output: output(Example),
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    next: {
      NotFound:
        "Call list_sessions for the ids of sessions and get_suite for those of maps; leave `model_id` out for the model that ships with the service.",
      SessionNotReady: "Call list_sessions for those that are READY.",
      ValidationError: "Correct this and call again: get_suite shows the maps of a suite with their ids."
    },
    also: exampleNotes,
    handle: ({ wait, ...wanted }, progress) =>
      Effect.gen(function* () {
        const example = yield* examples.create(new CreateExample(wanted))
        // Who may begin one and not read it is told how it began.
        if (!wait || !holds(yield* CurrentPrincipal, "examples:read")) return example
        const waited = finished(example.id, progress).pipe(
          Effect.timeoutTo({
            duration: longestWait,
            onSuccess: (state) => Effect.succeed(state),
            onTimeout: () => examples.get(example.id)
          })
        )
        return yield* Effect.flatten(waited).pipe(
          // It is made already: who is not told its id would make another.
          Effect.catchAllCause((cause) =>
            Cause.isInterrupted(cause)
              ? Effect.failCause(cause)
              : Effect.as(Effect.logWarning(`the wait for the example ${example.id} failed`, cause), example)
          )
        )
      })
  })
})
