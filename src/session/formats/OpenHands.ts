import { type MessagePlace, Messages } from "./Messages.ts"
import { type Emit, note, type Place } from "./Reading.ts"
import { isMembers, type Members, shown, textOf, timeOf } from "./Values.ts"

/** Calls that wait for what they caused. */
const MAX_OPEN = 10_000

/** Whether a step is an event of OpenHands: actions have arguments, observations a cause. */
export const isOpenHands = (step: Members): boolean =>
  (typeof step.action === "string" && isMembers(step.args)) ||
  (typeof step.observation === "string" && ("cause" in step || isMembers(step.extras)))

const callIdOf = (event: Members): string => {
  const metadata = isMembers(event.tool_call_metadata) ? event.tool_call_metadata : {}
  return textOf(metadata.tool_call_id) ?? `event_${shown(event.id) ?? ""}`
}

const nameOf = (event: Members): string => {
  const metadata = isMembers(event.tool_call_metadata) ? event.tool_call_metadata : {}
  return textOf(metadata.function_name) ?? shown(event.action) ?? "unknown"
}

const failed = (event: Members): boolean => {
  const extras = isMembers(event.extras) ? event.extras : {}
  const metadata = isMembers(extras.metadata) ? extras.metadata : {}
  const code = extras.exit_code ?? metadata.exit_code
  return event.success === false || event.observation === "error" || (typeof code === "number" && code > 0)
}

/** Events of OpenHands: what an action caused names it. */
export class OpenHands {
  readonly #emit: Emit
  readonly #messages: Messages
  readonly #open = new Map<string, string>()

  constructor(emit: Emit) {
    this.#emit = emit
    this.#messages = new Messages(emit)
  }

  add(event: Members, { source }: Place): void {
    const here = { conversation: 0, at: timeOf(event.timestamp), source }
    if (typeof event.action === "string") this.#action(event, here)
    else this.#observation(event, here)
  }

  #action(event: Members, here: MessagePlace): void {
    const args = isMembers(event.args) ? event.args : {}
    const content = textOf(args.content)
    const {
      action: _action,
      args: _args,
      message,
      source,
      timestamp: _timestamp,
      tool_call_metadata: _metadata,
      ...extra
    } = event
    if (content !== null && (event.action === "message" || event.action === "system")) {
      const role = event.action === "system" ? "system" : source === "user" ? "user" : "assistant"
      this.#emit({ kind: "message", ...here, role, content, extra })
      return
    }
    const call_id = callIdOf(event)
    if (this.#open.size < MAX_OPEN) this.#open.set(shown(event.id) ?? "", call_id)
    this.#messages.call({ ...extra, message, call_id, name: nameOf(event), arguments: args, id: undefined }, here)
  }

  #observation(event: Members, here: MessagePlace): void {
    const cause = shown(event.cause) ?? ""
    const metadata = isMembers(event.tool_call_metadata) ? textOf(event.tool_call_metadata.tool_call_id) : null
    const call_id = this.#open.get(cause) ?? metadata
    if (call_id === null || call_id === undefined) {
      this.#emit({ ...note(shown(event.observation) ?? "observation", event, here.source, here.at), conversation: 0 })
      return
    }
    this.#open.delete(cause)
    const { content, timestamp: _timestamp, ...extra } = event
    this.#messages.result(call_id, content ?? event.message, failed(event), here, extra)
  }
}
