import { Role, TaskState } from "@a2a-js/sdk"
import { type Client, ClientFactory, JsonRpcTransportFactory, RestTransportFactory } from "@a2a-js/sdk/client"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { form10 } from "../../src/a2p/CardForms.ts"
import { echoAgent } from "../support/EchoAgent.ts"

const bindings = ["JSONRPC", "HTTP+JSON"] as const
const versions = ["1.0", "0.3"] as const

/** The official client, made to speak one binding of one version. */
const clientOf = (base_url: string, binding: (typeof bindings)[number], version: (typeof versions)[number]) =>
  Effect.promise(async (): Promise<Client> => {
    const response = await fetch(`${base_url}/.well-known/agent-card.json`, { headers: { "a2a-version": "1.0" } })
    const card = await response.json()
    card.supportedInterfaces = [{ url: `${base_url}/a2p`, protocolBinding: binding, protocolVersion: version }]
    const legacyCompat = { enabled: true }
    return new ClientFactory({
      transports: [new JsonRpcTransportFactory({ legacyCompat }), new RestTransportFactory({ legacyCompat })]
    }).createFromAgentCard(card)
  })

const message = (text: string) => ({
  tenant: "",
  message: {
    messageId: crypto.randomUUID(),
    contextId: "",
    taskId: "",
    role: Role.ROLE_USER,
    parts: [{ content: { $case: "text" as const, value: text }, metadata: undefined, filename: "", mediaType: "" }],
    metadata: undefined,
    extensions: [],
    referenceTaskIds: []
  },
  configuration: undefined,
  metadata: undefined
})

for (const version of versions)
  for (const binding of bindings)
    it.scoped(`${binding} ${version}`, () =>
      Effect.gen(function* () {
        const { base_url } = yield* echoAgent()
        const client = yield* clientOf(base_url, binding, version)
        const sent = yield* Effect.promise(() => client.sendMessage(message("hello")))
        const events = yield* Effect.promise(() => Array.fromAsync(client.sendMessageStream(message("hello"))))
        if (!("id" in sent)) throw new Error("no task")
        const got = yield* Effect.promise(() => client.getTask({ tenant: "", id: sent.id }))
        expect(got.status?.state).toBe(TaskState.TASK_STATE_COMPLETED)
        const card = yield* Effect.promise(() => client.getAgentCard())
      })
    )
