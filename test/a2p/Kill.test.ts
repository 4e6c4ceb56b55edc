import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import Pg from "pg"
import { type ChildService, childService } from "../support/ChildService.ts"
import { eventually } from "../support/Eventually.ts"
import { gate } from "../support/Gate.ts"
import { lexical, mappedSuite, recorded } from "../support/Recorded.ts"

/** One call of A2A over JSON-RPC; while the service is not there, nothing. */
const asked = ({ base_url, api_key }: ChildService, method: string, params: object) =>
  Effect.promise(async () => {
    const response = await fetch(`${base_url}/a2p`, {
      method: "POST",
      headers: { "content-type": "application/json", "a2a-version": "1.0", "x-api-key": api_key },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })
    })
    const { result, error } = Object(await response.json())
    expect(error).toBeUndefined()
    return result
  })

const rows = ({ database }: ChildService, query: string): Effect.Effect<ReadonlyArray<unknown>> =>
  Effect.promise(async () => {
    const client = new Pg.Client({ connectionString: database.owner })
    await client.connect()
    const found = await client.query(query)
    await client.end()
    return found.rows
  })

it.scopedLive(
  "a service that is killed with -9 in the middle of a task ends it once it is back, and does nothing twice",
  () =>
    Effect.gen(function* () {
      const service = yield* childService({ environment: { LOG_LEVEL: "WARNING" } })
      const { suite_id } = yield* mappedSuite(service)
      const session_ids = [yield* recorded(service, suite_id)]
      const closed = yield* gate(service.database, { noted: "advance 0", workflow: "Task" })
      const data = { skill: "create_examples", input: { session_ids, model_id: lexical } }
      const message = { messageId: crypto.randomUUID(), role: "ROLE_USER", parts: [{ data }] }
      const params = { message, configuration: { returnImmediately: true } }
      const { task } = yield* asked(service, "SendMessage", params)
      expect(task.status.state).toBe("TASK_STATE_SUBMITTED")
      // The job is begun, and nobody has noted that it is.
      yield* closed.reached
      yield* service.end("SIGKILL")
      yield* closed.refuse
      yield* service.start
      const ended = yield* eventually(
        asked(service, "GetTask", { id: task.id }),
        ({ status }) => status.state !== "TASK_STATE_SUBMITTED" && status.state !== "TASK_STATE_WORKING",
        60_000
      )
      expect(ended.status.state).toBe("TASK_STATE_COMPLETED")
      expect(ended.artifacts[0].parts[0].data).toMatchObject({ completed: 1, failed: 0 })
      expect((yield* asked(service, "SendMessage", params)).task.id).toBe(task.id)
      expect(yield* rows(service, "select 1 from jobs")).toHaveLength(1)
      const seqs = yield* rows(service, `select seq from a2p_task_events where task_id = '${task.id}' order by seq`)
      expect(seqs).toEqual(seqs.map((_, index) => ({ seq: index + 1 })))
    }),
  180_000
)
