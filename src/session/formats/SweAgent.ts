import type { Adapter } from "./Adapter.ts"
import { contentText, Messages } from "./Messages.ts"
import { isOpenHands, OpenHands } from "./OpenHands.ts"
import { documentNote, type Emit, note, type Place, reading } from "./Reading.ts"
import { extraOf, isMembers, type Members, textOf, timeOf } from "./Values.ts"

/** Steps wait for a history, which tells the same with its prompts and calls; they are no more than this. */
const MAX_WAITING_BYTES = 32 * 1024 * 1024

const historyKeys: ReadonlySet<string> = new Set([
  "role",
  "content",
  "thought",
  "action",
  "tool_calls",
  "tool_call_ids"
])
const stepKeys: ReadonlySet<string> = new Set(["thought", "response", "action", "observation", "query"])

const commandOf = (action: string) => /^\s*(\S+)/.exec(action)?.[1] ?? "submit"

/** Steps or history of SWE-agent, each told as what the agent said, did and saw. */
class Run {
  readonly #emit: Emit
  readonly #messages: Messages
  #pending: string | undefined
  #made = 0

  constructor(emit: Emit) {
    this.#emit = emit
    this.#messages = new Messages(emit)
  }

  step(step: Members, { source }: Place): void {
    const here = { conversation: 0, at: timeOf(step.timestamp), source }
    const thought = textOf(step.thought) ?? textOf(step.response) ?? ""
    const extra = extraOf(step, stepKeys)
    if (thought !== "") this.#emit({ kind: "message", ...here, role: "assistant", content: thought })
    const action = textOf(step.action) ?? ""
    const call_id = `call_${this.#made++}`
    this.#messages.call({ ...extra, call_id, name: commandOf(action), arguments: action }, here)
    if (step.observation !== undefined && step.observation !== null) {
      this.#messages.result(call_id, step.observation, false, here, undefined)
    }
  }

  /** What a step says that the history does not. */
  rest(step: Members, { source }: Place): void {
    const data = extraOf(step, stepKeys)
    if (data !== undefined) this.#emit({ ...note("step", data, source), conversation: 0 })
  }

  message(message: Members, { source }: Place): void {
    const here = { conversation: 0, at: timeOf(message.timestamp), source }
    const extra = extraOf(message, historyKeys)
    const ids = message.tool_call_ids
    const named = Array.isArray(ids) ? textOf(ids[0]) : null
    const answers = message.role === "user" || message.role === "tool"
    const call_id = answers ? (named ?? textOf(message.tool_call_id) ?? this.#pending) : undefined
    if (
      call_id !== undefined &&
      (message.role === "tool" || named !== null || message.message_type !== "demonstration")
    ) {
      this.#pending = undefined
      this.#messages.result(call_id, message.content, false, here, extra)
      return
    }
    if (message.role !== "assistant") {
      this.#messages.add({ ...extra, role: message.role, content: message.content }, here)
      return
    }
    const calls = Array.isArray(message.tool_calls) ? message.tool_calls.filter(isMembers) : []
    const content = contentText(message.content) || (textOf(message.thought) ?? "")
    if (content !== "") this.#messages.add({ ...extra, role: "assistant", content }, here)
    for (const call of calls) this.#messages.call(call, here)
    const action = textOf(message.action)
    if (calls.length > 0) this.#pending = textOf(calls.at(-1)?.id) ?? undefined
    else if (action !== null && action !== "") {
      this.#pending = `call_${this.#made++}`
      this.#messages.call({ call_id: this.#pending, name: commandOf(action), arguments: action }, here)
    }
  }
}

/** SWE-agent's `.traj`, and trajectories of OpenHands. */
export const sweAgent: Adapter = reading({ paths: ["trajectory[*]", "history[*]", "[*]"] }, (emit) => {
  const about = documentNote(emit, "trajectory")
  const run = new Run(emit)
  const openHands = new OpenHands(emit)
  let waiting: Array<{ readonly step: Members; readonly place: Place }> = []
  let bytes = 0
  /** Which of the two tells the run; the other only adds to it. */
  let teller: "history" | "steps" | undefined

  const flushSteps = () => {
    const steps = waiting
    waiting = []
    bytes = 0
    for (const { step, place } of steps) {
      if (teller === "history") run.rest(step, place)
      else run.step(step, place)
    }
  }
  const step = (value: Members, place: Place) => {
    waiting.push({ step: value, place })
    bytes += place.bytes
    if (teller === undefined && bytes > MAX_WAITING_BYTES) teller = "steps"
    if (teller === "steps") flushSteps()
  }
  const message = (value: Members, place: Place) => {
    if (!Messages.is(value)) {
      emit(note("history", value, place.source))
      return
    }
    if (teller === "steps") {
      emit({ ...note("history", value, place.source), conversation: 0 })
      return
    }
    teller = "history"
    run.message(value, place)
  }
  return {
    element: (path, value, place, around) => {
      about.before(around[0], place)
      if (!isMembers(value)) emit(note("step", value, place.source))
      else if (isOpenHands(value)) openHands.add(value, place)
      else if (path === "history[*]") message(value, place)
      else if ("action" in value || "observation" in value) step(value, place)
      else emit(note("step", value, place.source))
    },
    object: (_path, members, place) => {
      flushSteps()
      about.after(members, place)
      teller = undefined
    },
    end: flushSteps
  }
})
