import { Effect } from "effect"
import * as KeyFormat from "../../src/identity/KeyFormat.ts"
import { type Call, type Endpoint, endpoints, send } from "./Contract.ts"
import { type Caller, elsewhere, organization } from "./Organizations.ts"
import { TestServer } from "./TestServer.ts"

/** One thing of each kind that an organization can have: an id by the name of its type. */
export type Ids = Readonly<Record<string, string>>

const unique = () => `name ${crypto.randomUUID()}`
const address = () => `${crypto.randomUUID()}@example.org`

/** Each is another, and all are the tool that the conversation calls: signs do not matter there. */
const toolName = () =>
  `population${[...crypto.randomUUID()].map((sign) => "_.-".charAt(sign.charCodeAt(0) % 3)).join("")}tool`

const conversation = [
  { role: "user", content: "Open it" },
  {
    role: "assistant",
    content: null,
    tool_calls: [{ id: "1", type: "function", function: { name: "population_tool", arguments: '{"to":"x"}' } }]
  },
  { role: "tool", tool_call_id: "1", content: "open" },
  { role: "assistant", content: "It is open" }
]
  .map((message) => `${JSON.stringify(message)}\n`)
  .join("")

/** Before there is a model, a suite has none. */
const onUpload = ({ ModelId }: Ids): Call => ({
  json: { name: unique(), ...(ModelId === undefined ? {} : { on_upload: { model_id: ModelId } }) }
})
const tus = { "tus-resumable": "1.0.0" }

interface Maker {
  /** The endpoint that makes it. */
  readonly endpoint: string
  readonly call: (ids: Ids) => Call
  readonly also?: (ids: Ids) => Call
}

/**
 * How one of each kind is made, in an order in which each finds what it needs. A path parameter of a
 * kind that is not here fails the tests over the contract.
 */
const makers: Readonly<Record<string, Maker>> = {
  UserId: { endpoint: "users.create", call: () => ({ json: { display_name: unique(), role: "viewer" } }) },
  InvitationId: { endpoint: "invitations.create", call: () => ({ json: { email: address(), role: "viewer" } }) },
  AgentId: {
    endpoint: "agents.create",
    // Its scopes are those that who rotates its secret has to hold.
    call: ({ UserId }) => ({ json: { name: unique(), owner_id: UserId, scopes: ["agents:write"] } })
  },
  SuiteId: { endpoint: "suites.create", call: onUpload },
  SessionId: {
    endpoint: "sessions.create",
    call: ({ SuiteId = "" }) => ({
      query: { suite_id: SuiteId },
      headers: { "content-type": "application/x-ndjson" },
      text: conversation
    })
  },
  UploadId: {
    endpoint: "uploads.create",
    call: ({ SuiteId = "" }) => ({
      headers: { ...tus, "upload-length": "5", "upload-metadata": `suite_id ${btoa(SuiteId)}` }
    })
  },
  DirectUploadId: {
    endpoint: "direct_uploads.create",
    // Of a file without bytes no part is missing.
    call: ({ SuiteId }) => ({ json: { suite_id: SuiteId, filename: "empty.jsonl", length: 0 } })
  },
  ApiKeyId: {
    endpoint: "api_keys.create",
    call: ({ SuiteId }) => ({ json: { name: unique(), suite_ids: [SuiteId] } }),
    also: ({ AgentId }) => ({ json: { name: unique(), agent_id: AgentId } })
  },
  ActionId: {
    endpoint: "actions.create",
    call: ({ SuiteId = "" }) => ({
      path: { suite_id: SuiteId },
      json: { name: unique(), parameters: [{ name: "to", type: "STRING" }] }
    })
  },
  McpServerId: {
    endpoint: "mcp_servers.create",
    call: () => ({ json: { name: unique(), url: "https://mcp.example/mcp" } })
  },
  CapabilityId: {
    endpoint: "tools.create",
    call: ({ McpServerId = "" }) => ({
      path: { server_id: McpServerId },
      json: {
        name: toolName(),
        input_schema: { type: "object", properties: { to: { type: "string" } } }
      }
    })
  },
  ActionToolMapId: {
    endpoint: "action_tool_maps.create",
    call: ({ SuiteId, McpServerId, ActionId, CapabilityId }) => ({
      json: {
        suite_id: SuiteId,
        server_id: McpServerId,
        name: unique(),
        mappings: [{ action: ActionId, tool: CapabilityId }]
      }
    })
  },
  ModelId: { endpoint: "models.create", call: () => ({ json: { provider: "CUSTOM", name: unique() } }) },
  ExampleId: {
    endpoint: "examples.create",
    call: ({ SessionId, ModelId, ActionToolMapId }) => ({
      json: { session_id: SessionId, model_id: ModelId, action_tool_map_id: ActionToolMapId }
    })
  },
  JobId: {
    endpoint: "examples.batch",
    call: ({ SessionId, SuiteId, ModelId, ActionToolMapId }) => ({
      // It selects nothing: what a job makes later would be met by tests that look at what a request did.
      json: {
        session_ids: [SessionId],
        filter: { suite_id: SuiteId, q: "no session is described so" },
        model_id: ModelId,
        action_tool_map_id: ActionToolMapId
      }
    })
  }
}

/** A request that the endpoint takes. */
interface Sample {
  readonly call?: (ids: Ids) => Call
  /** The same with other ids, where one body cannot hold all. */
  readonly also?: (ids: Ids) => Call
  /** What has to be made past the caller's organization for the request to be taken. */
  readonly prepared?: Effect.Effect<Call, never, TestServer>
  /** It ends the organization, which has to be empty, and not its owner's only one. */
  readonly ends?: true
  /** The status that its example or job must be in for the request to be taken. */
  readonly given?: string
  /** It ends what it is about, which is therefore made for it alone. */
  readonly own?: true
}

/** What a thing's status stands on, and how it is read; it is made after the answer. */
const made: Readonly<Record<string, { readonly table: string; readonly read: string }>> = {
  ExampleId: { table: "examples", read: "examples.get" },
  JobId: { table: "jobs", read: "jobs.get" }
}

const described = () => ({ json: { description: unique() } })

/** An invitation to another organization. */
const invited = Effect.gen(function* () {
  const { api_key } = yield* organization()
  const endpoint = endpointOf("invitations.create")
  if (endpoint === undefined) return yield* Effect.dieMessage("the contract has no invitations.create")
  const { json } = yield* send(endpoint, api_key, { json: { email: address(), role: "member" } })
  return { json: { token: String(Object(json).token) } } satisfies Call
})

/** What endpoints need beside the ids in their path. Those of the makers stand above. */
const samples: Readonly<Record<string, Sample>> = {
  "uploads.append": {
    call: () => ({
      headers: { ...tus, "upload-offset": "0", "content-type": "application/offset+octet-stream" },
      text: "bytes"
    })
  },
  "uploads.head": { call: () => ({ headers: tus }) },
  "uploads.delete": { call: () => ({ headers: tus }) },
  "upload_parts.put": {
    call: () => ({ query: { number: "1", expires: "9999999999", signature: "0".repeat(64) }, text: "bytes" })
  },
  "direct_uploads.complete": { call: () => ({ json: {} }) },
  "suites.put": {
    call: ({ ModelId }) => ({
      json: { name: unique(), actions: [{ name: "open" }], on_upload: { model_id: ModelId } }
    })
  },
  "suites.update": { call: described },
  "users.update": { call: () => ({ json: { role: "member" } }) },
  "personal_data.export": {},
  "personal_data.erase": { own: true },
  "invitations.accept": { call: () => ({ json: { token: KeyFormat.make("invite") } }), prepared: invited },
  "organizations.create": { call: () => ({ json: { slug: crypto.randomUUID(), name: unique() } }) },
  "organizations.update": { call: () => ({ json: { name: unique() } }) },
  "organizations.delete": { ends: true },
  "agents.update": { call: described },
  "agents.rotate_secret": { call: () => ({ json: {} }) },
  "sessions.update": { call: described },
  "sessions.content": { call: () => ({ query: { path: "recording.jsonl" } }) },
  "api_keys.update": { call: () => ({ json: { name: unique() } }) },
  "actions.update": { call: described },
  "mcp_servers.put": { call: () => ({ json: { name: unique(), url: "https://mcp.example/mcp", tools: [] } }) },
  "mcp_servers.update": { call: described },
  "tools.update": { call: described },
  "action_tool_maps.put": {
    call: ({ SuiteId, McpServerId }) => ({
      json: { suite: SuiteId, server: McpServerId, name: unique(), mappings: [] }
    })
  },
  "action_tool_maps.update": { call: () => ({ json: { name: unique() } }) },
  "examples.review": { call: () => ({ json: { decision: "reject" } }) },
  "examples.retry": { given: "FAILED" },
  "examples.cancel": { given: "PENDING" },
  "jobs.cancel": { given: "RUNNING" },
  "logs.report": { call: () => ({ json: [{ event_type: "opened" }] }) },
  "models.update": { call: () => ({ json: { context_window: 1000 } }) }
}

const endpointOf = (name: string) => endpoints.find((endpoint) => endpoint.name === name)

const created = ({ endpoint, call }: Maker, ids: Ids, caller: Caller) =>
  Effect.gen(function* () {
    const known = endpointOf(endpoint)
    if (known === undefined) return yield* Effect.dieMessage(`the contract has no ${endpoint}`)
    const answer = yield* send(known, caller.api_key, call(ids))
    if (answer.status !== 201 && answer.status !== 202)
      return yield* Effect.dieMessage(`${endpoint}: ${answer.status} ${answer.text}`)
    const id = String(Object(answer.json).id)
    const kind = Object.keys(makers).find((name) => makers[name]?.endpoint === endpoint) ?? ""
    const later = made[kind]
    if (later !== undefined) yield* completed(later.read, id, caller)
    return id
  })

/** Waits for what is made after the answer. */
const completed = (name: string, id: string, caller: Caller) =>
  Effect.gen(function* () {
    const read = endpointOf(name)
    if (read === undefined) return yield* Effect.dieMessage(`the contract has no ${name}`)
    const asked = Effect.map(send(read, caller.api_key, { path: { id } }), ({ json }) => String(Object(json).status))
    const status = yield* Effect.repeat(asked, { until: (status) => status !== "PENDING" && status !== "RUNNING" })
    if (status !== "COMPLETED") return yield* Effect.dieMessage(`${name}: it is ${status}`)
  })

/** Fills the caller's organization with one thing of every kind that the contract can make. */
export const populate = (caller: Caller) =>
  Effect.gen(function* () {
    const ids: Record<string, string> = { UserId: caller.user_id, OrganizationId: caller.org_id }
    for (const [kind, maker] of Object.entries(makers)) {
      if (endpointOf(maker.endpoint) !== undefined) ids[kind] = yield* created(maker, ids, caller)
    }
    // Every one of these was written into the log.
    const { sql } = yield* TestServer
    const [entry] = yield* Effect.orDie(
      sql<{ id: string }>`select id from audit_entries where org_id = ${caller.org_id} order by at, id limit 1`
    )
    ids["AuditEntryId"] = entry?.id ?? ""
    return ids as Ids
  })

const makerOf = (endpoint: Endpoint) => Object.values(makers).find((maker) => maker.endpoint === endpoint.name)

/** The values of an endpoint's path parameters, one after the kind of each. */
export const pathOf = (endpoint: Endpoint, ids: Ids): Readonly<Record<string, string>> =>
  Object.fromEntries(
    endpoint.pathParameters.map(({ name, kind }) => {
      const value = kind === undefined ? undefined : ids[kind]
      if (value !== undefined) return [name, value]
      throw new Error(
        `${endpoint.name} has the path parameter ${name} of a kind that no test knows (${kind ?? "without an identifier"}): add how one is made to \`makers\` in test/support/Population.ts`
      )
    })
  )

const sampleFor = (endpoint: Endpoint): Sample | undefined => makerOf(endpoint) ?? samples[endpoint.name]

/** A request to the endpoint about things of the population, as they are. */
export const requestOf = (endpoint: Endpoint, ids: Ids): Call => {
  const sample = sampleFor(endpoint)
  if (sample === undefined && ["POST", "PUT", "PATCH"].includes(endpoint.method)) {
    throw new Error(
      `${endpoint.name} has no sample: add a request that it takes to \`samples\` in test/support/Population.ts`
    )
  }
  const call = sample?.call?.(ids) ?? {}
  return { ...call, path: { ...pathOf(endpoint, ids), ...call.path } }
}

/** The same in every form that the endpoint has to be asked in to hold all the ids that it takes. */
export const requestsOf = (endpoint: Endpoint, ids: Ids): ReadonlyArray<Call> => {
  const also = sampleFor(endpoint)?.also?.(ids)
  const call = requestOf(endpoint, ids)
  return also === undefined ? [call] : [call, { ...call, ...also }]
}

/** True for what leaves no organization behind: nothing else can be shown in its world. */
export const isEnding = (endpoint: Endpoint): boolean => sampleFor(endpoint)?.ends === true

/** Who can ask the endpoint, in an organization that has what it needs. */
export const worldOf = (endpoint: Endpoint) =>
  Effect.gen(function* () {
    const caller = yield* organization()
    if (!isEnding(endpoint)) return { caller, ids: yield* populate(caller) }
    yield* elsewhere(caller)
    return { caller, ids: { OrganizationId: caller.org_id } satisfies Ids as Ids }
  })

/** The same, certain to be taken: what it deletes, or wants in some state, is made for it alone. */
export const sampleOf = (endpoint: Endpoint, ids: Ids, caller: Caller) =>
  Effect.gen(function* () {
    const { given, prepared, own } = { ...sampleFor(endpoint) }
    if (prepared !== undefined) return yield* prepared
    const isOwn = endpoint.method === "DELETE" || given !== undefined || own === true
    const kind = isOwn ? (endpoint.pathParameters.at(-1)?.kind ?? "") : ""
    const maker = makers[kind]
    const id = maker === undefined ? "" : yield* created(maker, ids, caller)
    if (given !== undefined) {
      const { sql } = yield* TestServer
      const table = made[kind]?.table ?? "examples"
      yield* Effect.orDie(sql`update ${sql(table)} set status = ${given} where id = ${id}`)
    }
    return requestOf(endpoint, maker === undefined ? ids : { ...ids, [kind]: id })
  })
