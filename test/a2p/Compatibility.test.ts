import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { organization } from "../support/Organizations.ts"
import { TestServer } from "../support/TestServer.ts"

/*
 * A port of the mandatory scenarios of A2A's compatibility kit (github.com/a2aproject/a2a-tck, A2A 1.0, its
 * revision 410ba92), which is in no package registry. Each test has the name of the scenario it ports, from
 * tests/mandatory/: jsonrpc/test_json_rpc_compliance, jsonrpc/test_protocol_violations,
 * jsonrpc/test_a2a_error_codes, protocol/test_agent_card_mandatory, protocol/test_extended_agent_card,
 * protocol/test_message_send_method, protocol/test_state_transitions, protocol/test_tasks_get_method,
 * protocol/test_tasks_cancel_method, protocol/test_tasks_list_method, authentication/test_auth_enforcement,
 * quality/test_error_validation_enhanced, transport/test_multi_transport_equivalence.
 *
 * The kit's messages are free text; here they name a skill, as every message has to. Not ported, since the
 * kit asks for what the protocol does not say: test_security_scheme_* (`in` where it is `location`),
 * test_sensitive_information_protection (no card may hold the word "token"), pageSize as the number of
 * tasks in test_list_tasks_empty_when_none_exist and test_default_page_size_is_50; and
 * test_message_send_continue_task, as no skill waits for a second message.
 */

interface ShownTask {
  readonly id: string
  readonly status: { readonly state: string; readonly timestamp: string }
  readonly history?: ReadonlyArray<unknown>
}

interface Answer {
  readonly status: number
  readonly result?: {
    readonly task?: ShownTask
    readonly tasks?: ReadonlyArray<ShownTask>
    readonly history?: ReadonlyArray<unknown>
    readonly nextPageToken?: string
  }
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown }
}

/** The task that was sent; a test that gets none fails here. */
const taskIn = ({ result, error }: Answer): ShownTask => {
  if (result?.task !== undefined) return result.task
  throw new Error(`no task: ${JSON.stringify(error)}`)
}

const tasksIn = ({ result }: Answer): ReadonlyArray<ShownTask> => result?.tasks ?? []

const skill = { data: { skill: "check_access", input: { scope: "a2p:use" } } }

// No job runs here, so its task stays open: for what is to be canceled.
const lasting = () => ({
  data: { skill: "create_examples", input: { session_ids: [Bun.randomUUIDv7()], model_id: Bun.randomUUIDv7() } }
})

const messageOf = (part: object, more: object = {}) => ({
  message: { messageId: crypto.randomUUID(), role: "ROLE_USER", parts: [part], ...more },
  configuration: { returnImmediately: true }
})

const somebody = Effect.gen(function* () {
  const { base_url } = yield* TestServer
  const { api_key } = yield* organization()
  const headers = { "x-api-key": api_key, "a2a-version": "1.0", "content-type": "application/json" }

  const raw = (body: string, more: Readonly<Record<string, string>> = {}) =>
    Effect.promise(async () => {
      const response = await fetch(`${base_url}/a2p`, { method: "POST", headers: { ...headers, ...more }, body })
      return { status: response.status, ...(await response.json()) }
    })

  const rpc = (method: string, params: unknown): Effect.Effect<Answer> =>
    raw(JSON.stringify({ jsonrpc: "2.0", id: "1", method, params }))

  const rest = (method: string, path: string, body?: unknown): Effect.Effect<Answer> =>
    Effect.promise(async () => {
      const response = await fetch(`${base_url}/a2p${path}`, {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body)
      })
      const json = await response.json()
      return response.ok ? { status: response.status, result: json } : { status: response.status, ...json }
    })

  const query = (params: Readonly<Record<string, unknown>>) =>
    new URLSearchParams(Object.entries(params).map(([name, value]) => [name, String(value)]))

  /** The same operations by either binding. */
  const bindings = {
    JSONRPC: {
      send: (params: object) => rpc("SendMessage", params),
      get: (id: string, params = {}) => rpc("GetTask", { id, ...params }),
      list: (params = {}) => rpc("ListTasks", params),
      cancel: (id: string) => rpc("CancelTask", { id }),
      card: rpc("GetExtendedAgentCard", {})
    },
    "HTTP+JSON": {
      send: (params: object) => rest("POST", "/message:send", params),
      get: (id: string, params = {}) => rest("GET", `/tasks/${id}?${query(params)}`),
      list: (params = {}) => rest("GET", `/tasks?${query(params)}`),
      cancel: (id: string) => rest("POST", `/tasks/${id}:cancel`, {}),
      card: rest("GET", "/extendedAgentCard")
    }
  }
  return { base_url, headers, raw, rpc, bindings }
})

type Binding = keyof Effect.Effect.Success<typeof somebody>["bindings"]

/** A failure is named by its code in JSON-RPC, and by its status and reason in REST. */
const failing = (binding: Binding, { status, error }: Answer) =>
  binding === "JSONRPC" ? error?.code : [status, JSON.stringify(error).match(/"reason":"(\w+)"/)?.[1]]

const failures = {
  invalid: { JSONRPC: -32602, "HTTP+JSON": [400, "INVALID_PARAMS"] },
  missing: { JSONRPC: -32001, "HTTP+JSON": [404, "TASK_NOT_FOUND"] },
  ended: { JSONRPC: -32002, "HTTP+JSON": [400, "TASK_NOT_CANCELABLE"] },
  closed: { JSONRPC: -32004, "HTTP+JSON": [400, "UNSUPPORTED_OPERATION"] }
} as const

const nobody = "01980000-0000-7000-8000-00000000dead"

layer(TestServer.layer({ ROLE: "api" }), { excludeTestServices: true })("the compatibility kit", (it) => {
  it.effect("test_rejects_malformed_json, test_raw_invalid_json", () =>
    Effect.gen(function* () {
      const { raw } = yield* somebody
      for (const body of [
        '{"jsonrpc": "2.0", "method": "SendMessage", "params": {',
        '{"jsonrpc": "2.0", "method": "x", '
      ])
        expect(yield* raw(body)).toMatchObject({ id: null, error: { code: -32700 } })
    })
  )

  it.effect("test_rejects_invalid_json_rpc_requests, test_invalid_jsonrpc_version, test_missing_method_field", () =>
    Effect.gen(function* () {
      const { raw } = yield* somebody
      const code = (request: object) => Effect.map(raw(JSON.stringify(request)), ({ error }) => error.code)
      expect(yield* code({ method: "SendMessage", params: {} })).toBe(-32600)
      expect(yield* code({ jsonrpc: "2.0", params: {} })).toBe(-32600)
      expect(yield* code({ jsonrpc: "1.0", method: "SendMessage", params: {}, id: 1 })).toBe(-32600)
      expect(yield* code({ jsonrpc: "2.0", method: "SendMessage", id: { bad: "type" }, params: {} })).toBe(-32600)
      expect(yield* code({ jsonrpc: "2.0", method: "SendMessage", params: "not_a_dict" })).toBe(-32602)
    })
  )

  it.effect("test_rejects_unknown_method, test_rejects_invalid_params, test_invalid_method_error_validation", () =>
    Effect.gen(function* () {
      const { rpc } = yield* somebody
      expect((yield* rpc("nonexistent/method", {})).error?.code).toBe(-32601)
      expect((yield* rpc("SendMessage", { message: { parts: "invalid" } })).error?.code).toBe(-32602)
    })
  )

  it.effect("test_duplicate_request_ids", () =>
    Effect.gen(function* () {
      const { rpc } = yield* somebody
      const [one, other] = [yield* rpc("SendMessage", messageOf(skill)), yield* rpc("SendMessage", messageOf(skill))]
      expect(one).toMatchObject({ id: "1", result: { task: { id: expect.any(String) } } })
      expect(other).toMatchObject({ id: "1", result: { task: { id: expect.any(String) } } })
      expect(taskIn(one).id).not.toBe(taskIn(other).id)
    })
  )

  it.effect("test_content_type_not_supported_error_32005, test_error_response_completeness", () =>
    Effect.gen(function* () {
      const { raw } = yield* somebody
      const answer = yield* raw("<x/>", { "content-type": "application/xml" })
      expect(answer).toMatchObject({
        jsonrpc: "2.0",
        error: {
          code: -32005,
          message: expect.any(String),
          data: [{ "@type": expect.stringContaining("ErrorInfo"), reason: "CONTENT_TYPE_NOT_SUPPORTED" }]
        }
      })
    })
  )

  it.effect("test_agent_card_available, test_agent_card_*_mandatory", () =>
    Effect.gen(function* () {
      const { base_url, headers } = yield* somebody
      const response = yield* Effect.promise(() => fetch(`${base_url}/.well-known/agent-card.json`, { headers }))
      const card = yield* Effect.promise(() => response.json())
      expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json"])
      for (const field of ["name", "description", "version"]) expect(card[field]).toEqual(expect.stringMatching(/./))
      expect(card.capabilities).toMatchObject({ streaming: true, pushNotifications: true })
      for (const field of ["defaultInputModes", "defaultOutputModes", "supportedInterfaces", "skills"])
        expect(card[field].length).toBeGreaterThan(0)
      for (const one of card.skills)
        expect(one).toMatchObject({ id: expect.any(String), name: expect.any(String), description: expect.any(String) })
      for (const one of card.skills) expect(one.tags.length).toBeGreaterThan(0)
    })
  )

  it.effect("test_authentication_required_when_declared, test_invalid_credentials_rejected", () =>
    Effect.gen(function* () {
      const { base_url } = yield* somebody
      const post = (more: Readonly<Record<string, string>>) =>
        Effect.promise(() =>
          fetch(`${base_url}/a2p`, {
            method: "POST",
            headers: { "content-type": "application/json", ...more },
            body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "SendMessage", params: messageOf(skill) })
          })
        )
      for (const credentials of [{}, { "x-api-key": "invalid" }, { authorization: "Bearer invalid" }]) {
        const response = yield* post(credentials)
        expect([response.status, response.headers.get("www-authenticate")]).toEqual([
          401,
          expect.stringContaining("Bearer")
        ])
      }
      const card = yield* Effect.promise(() => fetch(`${base_url}/a2p/extendedAgentCard`))
      expect(card.status).toBe(401)
    })
  )

  for (const binding of ["JSONRPC", "HTTP+JSON"] as const) {
    const use = Effect.map(somebody, ({ bindings }) => bindings[binding])
    const failed = (answer: Answer) => failing(binding, answer)

    it.effect(`${binding}: test_extended_agent_card_response_format`, () =>
      Effect.gen(function* () {
        const { card } = yield* use
        expect((yield* card).result).toMatchObject({ name: "Tracepipe", capabilities: { extendedAgentCard: true } })
      })
    )

    it.effect(`${binding}: test_message_send_valid_text, test_message_send_invalid_params`, () =>
      Effect.gen(function* () {
        const { send } = yield* use
        const task = taskIn(yield* send(messageOf(skill)))
        expect(task.status.state).toMatch(/^TASK_STATE_(SUBMITTED|WORKING|COMPLETED)$/)
        expect(task).toMatchObject({ id: expect.any(String), contextId: expect.any(String) })
        for (const params of [
          {},
          { message: {} },
          messageOf(skill, { parts: [] }),
          messageOf(skill, { messageId: "" }),
          messageOf(skill, { role: "somebody" }),
          messageOf({ metadata: {} })
        ])
          expect(failed(yield* send(params))).toEqual(failures.invalid[binding])
      })
    )

    it.effect(`${binding}: a message to a task that is not there, or has ended`, () =>
      Effect.gen(function* () {
        const { send, cancel } = yield* use
        expect(failed(yield* send(messageOf(skill, { taskId: nobody })))).toEqual(failures.missing[binding])
        const { id: taskId } = taskIn(yield* send(messageOf(lasting())))
        yield* cancel(taskId)
        expect(failed(yield* send(messageOf(skill, { taskId })))).toEqual(failures.closed[binding])
      })
    )

    it.effect(`${binding}: test_tasks_get_valid, test_tasks_get_with_history_length, test_tasks_get_nonexistent`, () =>
      Effect.gen(function* () {
        const { send, get } = yield* use
        const sent = messageOf(lasting())
        const { id } = taskIn(yield* send(sent))
        const { result } = yield* get(id)
        expect(result).toMatchObject({ id, status: { state: "TASK_STATE_SUBMITTED", timestamp: expect.any(String) } })
        expect(result?.history).toMatchObject([{ messageId: sent.message.messageId }])
        expect((yield* get(id, { historyLength: 0 })).result?.history).toBeUndefined()
        expect((yield* get(id, { historyLength: 1 })).result?.history).toHaveLength(1)
        expect(failed(yield* get(id, { historyLength: -1 }))).toEqual(failures.invalid[binding])
        expect(failed(yield* get(nobody))).toEqual(failures.missing[binding])
        expect(failed(yield* get("no-such-task"))).toEqual(failures.missing[binding])
      })
    )

    it.effect(`${binding}: test_tasks_cancel_valid, test_tasks_cancel_nonexistent, and once more`, () =>
      Effect.gen(function* () {
        const { send, cancel } = yield* use
        const { id } = taskIn(yield* send(messageOf(lasting())))
        expect((yield* cancel(id)).result).toMatchObject({ id, status: { state: "TASK_STATE_CANCELED" } })
        expect(failed(yield* cancel(id))).toEqual(failures.ended[binding])
        expect(failed(yield* cancel(nobody))).toEqual(failures.missing[binding])
      })
    )

    it.effect(`${binding}: test_tasks_list_method (listing, filtering, pagination, history, artifacts)`, () =>
      Effect.gen(function* () {
        const { send, list, cancel } = yield* use
        expect((yield* list()).result).toMatchObject({ tasks: [], totalSize: 0, nextPageToken: "" })
        const contextId = crypto.randomUUID()
        const made: Array<string> = []
        for (let count = 0; count < 5; count++) {
          const task = taskIn(yield* send(messageOf(lasting(), count < 2 ? { contextId } : {})))
          made.push(task.id)
        }
        const ids = (answer: Answer) => tasksIn(answer).map(({ id }) => id)
        const everything = yield* list()
        expect(ids(everything)).toEqual(made.toReversed())
        expect(everything.result).toMatchObject({ totalSize: 5, nextPageToken: "", pageSize: 50 })
        for (const task of tasksIn(everything)) expect(task).not.toHaveProperty("artifacts")

        expect(ids(yield* list({ contextId }))).toEqual([made[1], made[0]])
        yield* cancel(made[0] ?? "")
        expect(ids(yield* list({ status: "TASK_STATE_CANCELED" }))).toEqual([made[0]])
        expect(ids(yield* list({ contextId, status: "TASK_STATE_SUBMITTED" }))).toEqual([made[1]])
        const last = tasksIn(yield* list({ pageSize: 1 }))[0]
        expect(last?.id).toBe(made[0])
        expect(ids(yield* list({ statusTimestampAfter: last?.status.timestamp }))).toEqual([made[0]])

        const pages: Array<string> = []
        let pageToken = ""
        do {
          const page = yield* list({ pageSize: 2, ...(pageToken === "" ? {} : { pageToken }) })
          expect(page.result).toMatchObject({ totalSize: 5, pageSize: 2 })
          pages.push(...ids(page))
          pageToken = page.result?.nextPageToken ?? ""
        } while (pageToken !== "")
        expect(pages.toSorted()).toEqual(made.toSorted())

        const history = (historyLength: number) =>
          Effect.map(list({ historyLength }), (answer) => tasksIn(answer)[1]?.history?.length ?? 0)
        expect([yield* history(0), yield* history(1), yield* history(100)]).toEqual([0, 1, 1])
        const [with_artifacts] = tasksIn(yield* list({ includeArtifacts: true }))
        expect(with_artifacts).toHaveProperty("artifacts", [])

        for (const params of [
          { pageToken: "invalid" },
          { status: "TASK_STATE_DREAMING" },
          { pageSize: -1 },
          { pageSize: 0 },
          { pageSize: 101 },
          { historyLength: -1 },
          { statusTimestampAfter: "not-a-timestamp" }
        ])
          expect(failed(yield* list(params)), JSON.stringify(params)).toEqual(failures.invalid[binding])
      })
    )
  }

  it.effect("test_same_results_across_transports, test_multi_transport_equivalence", () =>
    Effect.gen(function* () {
      const { bindings } = yield* somebody
      const { id } = taskIn(yield* bindings.JSONRPC.send(messageOf(lasting())))
      yield* bindings["HTTP+JSON"].send(messageOf(lasting()))
      expect((yield* bindings["HTTP+JSON"].get(id)).result).toEqual((yield* bindings.JSONRPC.get(id)).result)
      expect((yield* bindings["HTTP+JSON"].list()).result).toEqual((yield* bindings.JSONRPC.list()).result)
      expect((yield* bindings["HTTP+JSON"].card).result).toEqual((yield* bindings.JSONRPC.card).result)
    })
  )
})
