import type { Adapter } from "./Adapter.ts"
import { Conversations } from "./Conversations.ts"
import { Messages } from "./Messages.ts"
import { note, type Place, reading } from "./Reading.ts"
import { isMembers, type Members } from "./Values.ts"

const lists = ["messages", "traj", "request.messages", "conversations[*].messages"]

/** The assistant's message in a response that stands beside its request. */
const answerOf = (members: Members): Members | undefined => {
  const response = isMembers(members.response) ? members.response : members
  const choices = response.choices
  const first: unknown = Array.isArray(choices) ? choices[0] : undefined
  if (isMembers(first) && Messages.is(first.message)) return first.message
  return response !== members && Messages.is(response) ? response : undefined
}

/**
 * Chat messages in all the ways in which they are kept, OpenAI's and Anthropic's: a line or an element
 * is a message, or a conversation that has them as `messages` or `traj`, or the document is one.
 */
export const chat: Adapter = reading({ paths: lists.flatMap((list) => [`${list}[*]`, `[*].${list}[*]`]) }, (emit) => {
  const conversations = new Conversations(emit)
  /** Whether messages came from the object whose end is still to come. */
  let listed = false
  /** Whether the open conversation is of messages that stand alone. */
  let loose = false
  let systemTold = false
  const close = (members: Members, place: Place) => {
    conversations.end(members, place)
    loose = false
    listed = false
    systemTold = false
  }
  const single = (value: unknown, place: Place) => {
    if (!Messages.is(value)) {
      emit(note("line", value, place.source))
      return
    }
    loose = true
    conversations.message(value, place)
  }
  /** Anthropic's requests have the system's words beside the messages. */
  const tellSystem = (members: Members | undefined, place: Place) => {
    if (systemTold || members?.system === undefined || members.system === null) return
    systemTold = true
    conversations.message({ role: "system", content: members.system }, { ...place, bytes: 0 })
  }
  const untold = ({ system, ...rest }: Members): Members =>
    systemTold || system === undefined ? rest : { ...rest, system }
  return {
    element: (path, value, place, around) => {
      if (path === "" || path === "[*]") {
        single(value, place)
        return
      }
      if (loose) close({}, place)
      if (!listed) tellSystem(around.at(-1), place)
      listed = true
      if (Messages.is(value)) conversations.message(value, place)
      else emit(note("message", value, place.source))
    },
    object: (path, members, place) => {
      if (path.endsWith("request")) {
        const rest = untold(members)
        if (Object.keys(rest).length > 0) emit(note("request", rest, place.source))
        return
      }
      if (!listed && Messages.is(members)) {
        single({ ...members }, place)
        return
      }
      const answer = answerOf(members)
      if (loose && !listed && answer === undefined) {
        if (Object.keys(members).length > 0) emit(note("line", { ...members }, place.source))
        return
      }
      if (answer !== undefined) conversations.message(answer, place)
      close(untold(members), place)
    }
  }
})
