import type { Effect } from "effect"
import type { CurrentPrincipal } from "../domain/Principal.ts"

/** A JSON object, as it stands on the wire. */
export type Json = { readonly [key: string]: unknown }

/** A tool, as `tools/list` shows it. Names of fields as in the protocol (camelCase). */
export interface ToolDescription {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly inputSchema: Json & { readonly type: "object" }
  readonly outputSchema: Json & { readonly type: "object" }
  readonly annotations: {
    readonly readOnlyHint: boolean
    readonly destructiveHint: boolean
    readonly idempotentHint: boolean
    readonly openWorldHint: boolean
  }
}

export interface TextContent {
  readonly type: "text"
  readonly text: string
}

/** A link to a resource that holds more than fits into an answer. */
export interface ResourceLink {
  readonly type: "resource_link"
  readonly uri: string
  readonly name: string
  readonly mimeType?: string
  readonly description?: string
}

/** What a tool answers; `isError`: the text says what to do about it, and there is no structured content. */
export interface ToolAnswer {
  readonly content: ReadonlyArray<TextContent | ResourceLink>
  readonly structuredContent?: Json
  readonly isError?: boolean
}

export interface ResourceDescription {
  readonly uri: string
  readonly name: string
  readonly title?: string
  readonly description?: string
  readonly mimeType: string
}

export interface TemplateDescription {
  readonly uriTemplate: string
  readonly name: string
  readonly title?: string
  readonly description?: string
  readonly mimeType: string
}

export interface ResourceText {
  readonly uri: string
  readonly mimeType: string
  readonly text: string
}

export interface PromptDescription {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly arguments: ReadonlyArray<{ readonly name: string; readonly description: string; readonly required: boolean }>
}

export interface PromptAnswer {
  readonly description: string
  readonly messages: ReadonlyArray<{ readonly role: "user" | "assistant"; readonly content: TextContent }>
}

/** A page of a list; no cursor: the last one. */
export interface Listed<A> {
  readonly items: ReadonlyArray<A>
  readonly nextCursor?: string
}

/** A request that the protocol itself refuses; the codes are those of JSON-RPC and MCP. */
export interface Refused {
  readonly _tag: "Refused"
  /** -32602: invalid parameters (unknown tool or prompt too), -32002: resource not found, -32603: a fault of ours. */
  readonly code: -32602 | -32002 | -32603
  readonly message: string
  readonly data?: Json
}

/** How far a call is, for callers that asked to be told. */
export type Progress = (at: {
  readonly progress: number
  readonly total?: number
  readonly message?: string
}) => Effect.Effect<void>

type Answer<A> = Effect.Effect<A, Refused, CurrentPrincipal>

/**
 * What an MCP server offers, in no version of the protocol: every era and transport serves the same.
 * Interrupting an effect interrupts the work of the call.
 */
export interface Surface {
  readonly info: { readonly name: string; readonly title: string; readonly version: string }
  /** What a model should know before it begins. */
  readonly instructions: string
  readonly tools: ReadonlyArray<ToolDescription>
  readonly callTool: (name: string, input: unknown, progress: Progress) => Answer<ToolAnswer>
  readonly templates: ReadonlyArray<TemplateDescription>
  readonly listResources: (cursor: string | undefined) => Answer<Listed<ResourceDescription>>
  readonly readResource: (uri: string) => Answer<ResourceText>
  readonly prompts: ReadonlyArray<PromptDescription>
  readonly getPrompt: (name: string, input: Readonly<Record<string, string>>) => Answer<PromptAnswer>
  /** What an argument of a prompt, or a variable of a template, may be: at most 101 values, of which the protocol tells 100. */
  readonly complete: (
    of: { readonly prompt: string } | { readonly uriTemplate: string },
    argument: { readonly name: string; readonly value: string }
  ) => Answer<ReadonlyArray<string>>
}
