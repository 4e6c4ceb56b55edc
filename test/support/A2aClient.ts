import { type Part, Role, type SendMessageRequest } from "@a2a-js/sdk"
import { type Client, ClientFactory, JsonRpcTransportFactory, RestTransportFactory } from "@a2a-js/sdk/client"
import { Effect } from "effect"

/** The ways in: each binding in each version. */
export const ways = [
  { binding: "JSONRPC", version: "1.0" },
  { binding: "HTTP+JSON", version: "1.0" },
  { binding: "JSONRPC", version: "0.3" },
  { binding: "HTTP+JSON", version: "0.3" }
] as const
export type Way = (typeof ways)[number]

/** The official client, as it makes itself of the agent card, held to one of the ways in. */
export const a2aClient = (base_url: string, { binding, version }: Way, api_key?: string) =>
  Effect.promise(async (): Promise<Client> => {
    const fetchImpl: typeof fetch = Object.assign(
      (url: Parameters<typeof fetch>[0], init?: RequestInit) => {
        const headers = new Headers(init?.headers)
        if (api_key !== undefined) headers.set("x-api-key", api_key)
        return fetch(url, { ...init, headers })
      },
      { preconnect: fetch.preconnect }
    )
    const response = await fetch(`${base_url}/.well-known/agent-card.json`, { headers: { "a2a-version": "1.0" } })
    const card = await response.json()
    const [found] = card.supportedInterfaces.filter(
      (one: { readonly protocolBinding: string; readonly protocolVersion: string }) =>
        one.protocolBinding === binding && one.protocolVersion === version
    )
    card.supportedInterfaces = [{ ...found, url: `${base_url}${new URL(found.url).pathname}` }]
    const options = { fetchImpl, legacyCompat: { enabled: true } }
    return new ClientFactory({
      transports: [new JsonRpcTransportFactory(options), new RestTransportFactory(options)]
    }).createFromAgentCard(card)
  })

const part = (content: NonNullable<Part["content"]>, mediaType: string, filename = ""): Part => ({
  content,
  mediaType,
  filename,
  metadata: undefined
})

export const text = (value: string): Part => part({ $case: "text", value }, "text/plain")

export const data = (value: unknown): Part => part({ $case: "data", value }, "application/json")

export const file = (value: string, filename: string, mediaType: string): Part =>
  part({ $case: "raw", value: Buffer.from(value) }, mediaType, filename)

type Configuration = NonNullable<SendMessageRequest["configuration"]>

/** A new message of these parts. It waits for its task to end, unless the configuration says otherwise. */
export const message = (parts: Array<Part>, configuration: Partial<Configuration> = {}): SendMessageRequest => ({
  tenant: "",
  message: {
    messageId: crypto.randomUUID(),
    contextId: "",
    taskId: "",
    role: Role.ROLE_USER,
    parts,
    metadata: undefined,
    extensions: [],
    referenceTaskIds: []
  },
  configuration: {
    acceptedOutputModes: [],
    taskPushNotificationConfig: undefined,
    historyLength: undefined,
    returnImmediately: false,
    ...configuration
  },
  metadata: undefined
})
