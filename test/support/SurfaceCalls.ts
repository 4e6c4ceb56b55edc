import { expect } from "@effect/vitest"
import { Effect } from "effect"
import { CurrentPrincipal, Principal, type Role, type Scope } from "../../src/domain/Principal.ts"
import { PlatformSurface } from "../../src/mcp/platform/PlatformSurface.ts"
import type { Progress, ToolAnswer } from "../../src/mcp/Surface.ts"
import type { Caller } from "./Organizations.ts"

interface Wanted {
  readonly role?: Role
  readonly scopes?: ReadonlyArray<Scope>
  readonly suite_ids?: ReadonlyArray<string> | null
}

/** Runs as the caller, whose key has all scopes and sees all suites unless others are named. */
export const as =
  (caller: Caller, { role = "owner", scopes = ["*"], suite_ids = null }: Wanted = {}) =>
  <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.provideService(
      self,
      CurrentPrincipal,
      // Ids of the database, as a credential's owner has them.
      new Principal(
        {
          org_id: caller.org_id,
          user_id: caller.user_id,
          agent_id: null,
          role,
          scopes,
          suite_ids,
          key_id: caller.key_id,
          auth_method: "api_key"
        } as ConstructorParameters<typeof Principal>[0],
        true
      )
    )

const silent: Progress = () => Effect.void

export const call = (name: string, input: unknown = {}, progress: Progress = silent) =>
  Effect.flatMap(PlatformSurface, (surface) => surface.callTool(name, input, progress))

export const textOf = ({ content }: ToolAnswer): string =>
  content.map((part) => (part.type === "text" ? part.text : part.uri)).join("\n")

/** What a tool answers that does not fail. */
export const answered = (name: string, input: unknown = {}, progress: Progress = silent) =>
  Effect.map(call(name, input, progress), (answer) => {
    expect(answer.isError, textOf(answer)).toBeUndefined()
    // biome-ignore lint/suspicious/noExplicitAny: looked into by tests, each of which knows what it called
    return answer.structuredContent as any
  })

/** The text of a tool's error. */
export const refused = (name: string, input: unknown) =>
  Effect.map(call(name, input), (answer) => {
    expect(answer.isError, textOf(answer)).toBe(true)
    expect(answer.structuredContent).toBeUndefined()
    return textOf(answer)
  })
