import { Role, type SendMessageRequest } from "@a2a-js/sdk"
import { RequestMalformedError } from "@a2a-js/sdk/errors"

const wrongIn = ({
  message,
  configuration
}: SendMessageRequest): readonly [field: string, text: string] | undefined => {
  if (message === undefined) return ["message", "is missing"]
  if (message.messageId === "") return ["message.messageId", "is missing"]
  if (message.role !== Role.ROLE_USER && message.role !== Role.ROLE_AGENT)
    return ["message.role", "is neither ROLE_USER nor ROLE_AGENT"]
  if (message.parts.length === 0) return ["message.parts", "at least one part is needed"]
  const empty = message.parts.findIndex(({ content }) => content === undefined)
  if (empty !== -1) return [`message.parts[${empty}]`, "has none of text, raw, url and data"]
  const { historyLength = 0 } = configuration ?? {}
  return Number.isInteger(historyLength) && historyLength >= 0
    ? undefined
    : ["configuration.historyLength", "is no whole number from 0 on"]
}

/** What every message has to have, whatever it asks for. Throws an error that names the field. */
export const assertSendable = (params: SendMessageRequest): void => {
  const wrong = wrongIn(params)
  if (wrong !== undefined) {
    const [field, text] = wrong
    throw new RequestMalformedError({ message: `${field} ${text}`, metadata: { [field]: text } })
  }
}

/** A count in the address: digits alone. Throws an error that names the parameter. */
export const countIn = (query: URLSearchParams, name: string): number | undefined => {
  const text = query.get(name)
  if (text === null || text === "") return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new RequestMalformedError({
    message: `${name} is no whole number from 0 on`,
    metadata: { [name]: "is no whole number from 0 on" }
  })
}
