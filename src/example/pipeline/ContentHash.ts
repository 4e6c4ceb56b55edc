import canonicalize from "canonicalize"
import type { Message } from "../../domain/example/Message.ts"

/** What canonical JSON has no form for: numbers without end, halves of surrogate pairs. */
const canonical = (value: unknown): string | undefined => {
  try {
    return canonicalize(value)
  } catch {
    return undefined
  }
}

/** Arguments are JSON text: how it is written makes no other call, unless it holds what has no canonical form. */
const parsed = (text: string): unknown => {
  try {
    const value: unknown = JSON.parse(text)
    return canonical(value) === undefined ? text.toWellFormed() : value
  } catch {
    return text.toWellFormed()
  }
}

/**
 * SHA-256, as hex, of what the messages say: over canonical JSON (RFC 8785), with arguments as values
 * and calls numbered in their order, so that neither spacing nor ids make a difference.
 */
export const contentHash = (messages: ReadonlyArray<Message>): string => {
  const numbers = new Map<string, number>()
  const numbered = (id: string) => {
    const known = numbers.get(id) ?? numbers.size
    numbers.set(id, known)
    return known
  }
  const said = messages.map((message) => {
    if (message.role === "tool") return { ...message, tool_call_id: numbered(message.tool_call_id) }
    if (message.role !== "assistant" || message.tool_calls === undefined) return message
    const tool_calls = message.tool_calls.map(({ id, function: { name, arguments: given } }) => ({
      id: numbered(id),
      name,
      arguments: parsed(given)
    }))
    return { ...message, tool_calls }
  })
  return new Bun.CryptoHasher("sha256").update(canonical(said) ?? JSON.stringify(said)).digest("hex")
}
