import { Config, Duration } from "effect"
import * as Setting from "../Setting.ts"

const { setting } = Setting

/** Bounds of agent-to-platform requests and tasks. Declared when called, so that the table keeps its order. */
export const a2pSettings = () =>
  Config.all({
    task_ttl: setting("A2P_TASK_TTL", Setting.duration, {
      fallback: Duration.days(30),
      shown: "30 days",
      description: "how long an A2P task and its events are kept after it has ended"
    }),
    max_open_tasks: setting("A2P_MAX_OPEN_TASKS", Setting.integer(1, 10_000), {
      fallback: 100,
      shown: "100",
      description: "A2P tasks of one user or agent that may be open at a time"
    }),
    max_streams: setting("A2P_MAX_STREAMS", Setting.integer(1, 10_000), {
      fallback: 50,
      shown: "50",
      description:
        "A2P streams, and sends that wait for their task, of one user or agent that a process serves at a time"
    }),
    max_request_bytes: setting("A2P_MAX_REQUEST_BYTES", Setting.bytes, {
      fallback: 32 * 1024 ** 2,
      shown: "32 MiB",
      description: "largest request by A2P, files in its message included; larger sessions are given by their URL"
    })
  })
