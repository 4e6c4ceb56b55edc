import { Cause, Effect, Exit, Runtime } from "effect"
import { CurrentPrincipal } from "../domain/Principal.ts"
import { RequestInfo } from "../domain/RequestInfo.ts"
import type { Progress, Refused, Surface } from "./Surface.ts"
import type { Caller } from "./transport/Caller.ts"

/** What a handler of either era knows of its request. */
export interface Handled {
  readonly caller: Caller
  /** Aborts when the request is cancelled, or nobody waits for it any more. */
  readonly signal: AbortSignal
  readonly progress: Progress
}

interface Options {
  readonly surface: Surface
  readonly runtime: Runtime.Runtime<never>
  /** A refusal as the error that the era's SDK answers. */
  readonly thrown: (refused: Refused) => Error
}

/** A copy that the SDKs may keep: their types know nothing of what is read only. */
const copy = <A>(items: ReadonlyArray<A>): Array<A> => [...items]

/** What a surface answers to each request of the protocol, in no era's types but those that all share. */
export const handlers = ({ surface, runtime, thrown }: Options) => {
  /** Runs what is asked for on behalf of the caller; a fault of ours is told as no more than that. */
  const run = async <A>(
    effect: Effect.Effect<A, Refused, CurrentPrincipal>,
    { caller: { principal, info }, signal }: Handled
  ): Promise<A> => {
    const exit = await Runtime.runPromiseExit(runtime)(
      effect.pipe(
        Effect.provideService(CurrentPrincipal, principal),
        Effect.provideService(RequestInfo, info),
        Effect.tapErrorCause((cause) =>
          Cause.isDie(cause) ? Effect.logError("an MCP request failed", cause) : Effect.void
        ),
        Effect.annotateLogs("request_id", info.request_id)
      ),
      { signal }
    )
    if (Exit.isSuccess(exit)) return exit.value
    const failure = Cause.failureOption(exit.cause)
    if (failure._tag === "Some") throw thrown(failure.value)
    const message = `the service failed; the failure was logged under the request id ${info.request_id}`
    throw thrown({ _tag: "Refused", code: -32603, message })
  }

  return {
    listTools: () => ({ tools: copy(surface.tools) }),
    callTool: async (name: string, input: unknown, handled: Handled) => {
      const { content, structuredContent, isError } = await run(
        surface.callTool(name, input, handled.progress),
        handled
      )
      return {
        content: copy(content),
        ...(structuredContent === undefined ? {} : { structuredContent }),
        ...(isError === undefined ? {} : { isError })
      }
    },
    listResources: async (cursor: string | undefined, handled: Handled) => {
      const { items, nextCursor } = await run(surface.listResources(cursor), handled)
      return { resources: copy(items), ...(nextCursor === undefined ? {} : { nextCursor }) }
    },
    listTemplates: () => ({ resourceTemplates: copy(surface.templates) }),
    readResource: async (uri: string, handled: Handled) => {
      // The protocol wants the refused address in the error.
      const read = Effect.mapError(surface.readResource(uri), (refused) => ({
        ...refused,
        data: { ...refused.data, uri }
      }))
      return { contents: [await run(read, handled)] }
    },
    listPrompts: () => ({
      prompts: surface.prompts.map((prompt) => ({ ...prompt, arguments: copy(prompt.arguments) }))
    }),
    getPrompt: async (name: string, input: Readonly<Record<string, string>>, handled: Handled) => {
      const { description, messages } = await run(surface.getPrompt(name, input), handled)
      return { description, messages: copy(messages) }
    },
    complete: async (
      of:
        | { readonly type: "ref/prompt"; readonly name: string }
        | { readonly type: "ref/resource"; readonly uri: string },
      argument: { readonly name: string; readonly value: string },
      handled: Handled
    ) => {
      const meant = of.type === "ref/prompt" ? { prompt: of.name } : { uriTemplate: of.uri }
      const values = await run(surface.complete(meant, argument), handled)
      return { completion: { values: values.slice(0, 100), hasMore: values.length > 100 } }
    }
  } as const
}

/** What clients may ask for. */
export const capabilities = { tools: {}, resources: {}, prompts: {}, completions: {} }

type Told = {
  progressToken: string | number
  progress: number
  total?: number
  message?: string
}

/** Progress as the era's notification. A client that cannot be told keeps its call. */
export const progressTo =
  (token: string | number | undefined, notify: (told: Told) => Promise<void>): Progress =>
  ({ progress, total, message }) =>
    token === undefined
      ? Effect.void
      : Effect.ignore(
          Effect.tryPromise(() =>
            notify({
              progressToken: token,
              progress,
              ...(total === undefined ? {} : { total }),
              ...(message === undefined ? {} : { message })
            })
          )
        )
