import type { Adapter } from "./Adapter.ts"
import { Messages } from "./Messages.ts"
import { note, recordReading } from "./Reading.ts"
import { extraOf, isMembers, shown, textOf, timeOf } from "./Values.ts"

const lineKeys: ReadonlySet<string> = new Set(["type", "timestamp", "message"])
/** More are told as one conversation: they are kept to tell them apart. */
const MAX_SESSIONS = 10_000

/** Numbers the runs in a transcript: each session, and beside it its subagents'. */
const numbering = () => {
  const numbers = new Map<string, number>()
  return (name: string): number => {
    const known = numbers.get(name)
    if (known !== undefined) return known
    const number = Math.min(numbers.size, MAX_SESSIONS)
    if (number < MAX_SESSIONS) numbers.set(name, number)
    return number
  }
}

/** Claude Code's transcripts. */
export const claudeCode: Adapter = recordReading((emit) => {
  const messages = new Messages(emit)
  const conversationOf = numbering()
  return {
    record: (value, { source }) => {
      if (!isMembers(value)) {
        emit(note("line", value, source))
        return
      }
      const type = shown(value.type) ?? "line"
      const at = timeOf(value.timestamp)
      const role = type === "user" || type === "assistant" ? type : undefined
      if (role === undefined || value.message === undefined || value.message === null) {
        emit(note(type, value, source, at))
        return
      }
      const run = value.isSidechain === true ? ` ${textOf(value.agentId) ?? ""}` : ""
      const conversation = conversationOf(`${textOf(value.sessionId) ?? ""}${run}`)
      // `toolUseResult`, which may be a string too, stays with the line's other fields.
      const message = isMembers(value.message) ? value.message : { content: value.message }
      messages.add({ ...message, role }, { conversation, at, source }, extraOf(value, lineKeys))
    }
  }
})
