import { Effect, Schema } from "effect"
import { LogReport, NewLogEntry } from "../../../domain/telemetry/LogEntry.ts"
import { UsageQuery, UsageReport } from "../../../domain/telemetry/Usage.ts"
import { Logs } from "../../../telemetry/Logs.ts"
import { Usage } from "../../../telemetry/Usage.ts"
import { output, reads, tool } from "../Tool.ts"

/** Over MCP, what comes in one message is few. */
const mostEntries = 100

const { timestamp, event_type, severity, source, correlation_id, session_id, data } = NewLogEntry.fields

const Entry = Schema.Struct({
  timestamp: timestamp.annotations({ description: "When it happened; without it, now" }),
  event_type: event_type.annotations({ description: "What kind of thing happened, such as `tool.failed`" }),
  severity: severity.annotations({ description: "How much it matters", default: "info" }),
  source: source.annotations({ description: "Who reports it: the name of an agent or a system" }),
  correlation_id: correlation_id.annotations({ description: "The same for all entries that belong together" }),
  session_id: session_id.annotations({ description: "What the reporter calls its session; no id of a recording" }),
  data: data.annotations({ description: "What else is to be known: any JSON object up to 64 KiB" })
})
const Entries = Schema.Array(Entry).pipe(Schema.minItems(1), Schema.maxItems(mostEntries))

const encode = Schema.encode(Entries)

/** What an organization uses, and what agents say of what they do. */
export const telemetryTools = Effect.gen(function* () {
  const usage = yield* Usage
  const logs = yield* Logs

  return [
    tool({
      name: "get_usage",
      title: "Read usage",
      description:
        "Reads how much was recorded and made: sessions, bytes, examples by status, tokens and cost, by day, hour, user, model or suite.",
      input: UsageQuery,
      output: output(UsageReport),
      annotations: reads,
      handle: (query) => usage.read(query)
    }),
    tool({
      name: "report_log",
      title: "Report log entries",
      description: "Stores log entries of what an agent does, for people and for other tools to look at.",
      input: Schema.Struct({
        entries: Entries.annotations({ description: `What happened: 1 to ${mostEntries} entries` })
      }),
      output: output(LogReport),
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
      handle: ({ entries }) => Effect.flatMap(Effect.orDie(encode(entries)), (written) => logs.report(written))
    })
  ]
})
