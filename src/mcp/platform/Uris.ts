import { Schema } from "effect"
import { ExampleId, SessionId } from "../../domain/Ids.ts"

export const sessionTemplate = "tracepipe://sessions/{id}"
export const messagesTemplate = "tracepipe://examples/{id}/messages"

export const sessionUri = (id: string): string => sessionTemplate.replace("{id}", id)
export const messagesUri = (id: string): string => messagesTemplate.replace("{id}", id)

const isSession = Schema.is(SessionId)
const isExample = Schema.is(ExampleId)

/** What a URI of ours names; undefined for any other. */
export const named = (
  uri: string
): { readonly session_id: SessionId } | { readonly example_id: ExampleId } | undefined => {
  const session = /^tracepipe:\/\/sessions\/([^/]+)$/.exec(uri)?.[1]
  if (isSession(session)) return { session_id: session }
  const example = /^tracepipe:\/\/examples\/([^/]+)\/messages$/.exec(uri)?.[1]
  return isExample(example) ? { example_id: example } : undefined
}
