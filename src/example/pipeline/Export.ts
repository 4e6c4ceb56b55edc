import type { Message, ToolDefinition } from "../../domain/example/Message.ts"

/** One example, as an export holds it. */
export interface Exported {
  readonly messages: ReadonlyArray<Message>
  readonly tools: ReadonlyArray<ToolDefinition>
  /** Where it came from: the session, the map and its version, the model, the confidence. */
  readonly provenance: Readonly<Record<string, unknown>>
}

/** Names that OpenAI takes: 1 to 64 letters, digits, `_` and `-`. No two tools come out the same. */
const openAiNames = (tools: ReadonlyArray<ToolDefinition>): ReadonlyMap<string, string> => {
  const taken = new Set<string>()
  return new Map(
    tools.map(({ function: { name } }) => {
      const plain = name.replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, 64)
      let free = plain
      for (let at = 2; taken.has(free); at++) free = `${plain.slice(0, 60)}_${at}`
      taken.add(free)
      return [name, free] as const
    })
  )
}

/**
 * A line of OpenAI's fine-tuning file.
 * @see https://platform.openai.com/docs/guides/function-calling
 */
const openAi = ({ messages, tools }: Exported): object => {
  const names = openAiNames(tools)
  const renamed = (name: string) => names.get(name) ?? name
  return {
    messages: messages.map((message) =>
      message.role === "assistant" && message.tool_calls !== undefined
        ? {
            ...message,
            tool_calls: message.tool_calls.map((call) => ({
              ...call,
              function: { ...call.function, name: renamed(call.function.name) }
            }))
          }
        : message
    ),
    tools: tools.map((tool) => ({ ...tool, function: { ...tool.function, name: renamed(tool.function.name) } }))
  }
}

interface Turn {
  readonly from: "human" | "gpt" | "function_call" | "observation"
  readonly value: string
}

const turns = (message: Message): ReadonlyArray<Turn> => {
  switch (message.role) {
    case "system":
      return []
    case "user":
      return [{ from: "human", value: message.content }]
    case "tool":
      return [{ from: "observation", value: message.content }]
    case "assistant": {
      const calls = (message.tool_calls ?? []).map((call) => ({
        name: call.function.name,
        arguments: JSON.parse(call.function.arguments)
      }))
      if (calls.length > 0)
        return [{ from: "function_call", value: JSON.stringify(calls.length === 1 ? calls[0] : calls) }]
      return [{ from: "gpt", value: message.content ?? "" }]
    }
  }
}

/** A line of ShareGPT with calls, as LLaMA-Factory and others read it: what is said beside a call has no place in it. */
const shareGpt = ({ messages, tools }: Exported): object => {
  const [first] = messages
  return {
    conversations: messages.flatMap(turns),
    ...(first?.role === "system" ? { system: first.content } : {}),
    tools: JSON.stringify(tools.map((tool) => tool.function))
  }
}

const plain = ({ messages, tools, provenance }: Exported): object => ({ messages, tools, ...provenance })

const formats = { openai: openAi, sharegpt: shareGpt, messages: plain }

/** One line of an export, with its line end. */
export const exportLine = (format: keyof typeof formats, example: Exported): string =>
  `${JSON.stringify(formats[format](example))}\n`
