import { Effect } from "effect"
import { Counter, Gauge, Histogram, Registry } from "prom-client"

/** What the service counts, in Prometheus' exposition format. */
export class Metrics extends Effect.Service<Metrics>()("telemetry/Metrics", {
  sync: () => {
    const registers = [new Registry()]
    const requests = new Histogram({
      name: "tracepipe_http_request_duration_seconds",
      help: "Time from a request's arrival to its answer's head",
      labelNames: ["method", "route", "status"] as const,
      buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 300],
      registers
    })
    const active = new Gauge({ name: "tracepipe_http_requests_active", help: "Requests being answered", registers })
    const uploads = new Gauge({ name: "tracepipe_uploads_active", help: "Uploads being taken", registers })
    const uploadBytes = new Counter({
      name: "tracepipe_upload_bytes_total",
      help: "Bytes of accepted sessions",
      registers
    })
    const refusedUploads = new Counter({
      name: "tracepipe_uploads_refused_total",
      help: "Uploads refused or cut off, by reason",
      labelNames: ["reason"] as const,
      registers
    })
    const collected = new Counter({
      name: "tracepipe_collected_prefixes_total",
      help: "Remains of uploads that the collector removed, by kind",
      labelNames: ["kind"] as const,
      registers
    })
    const llmTokens = new Counter({
      name: "tracepipe_llm_tokens_total",
      help: "Tokens that language models used",
      labelNames: ["provider", "direction"] as const,
      registers
    })
    const llmCost = new Counter({
      name: "tracepipe_llm_cost_total",
      help: "What that cost, by the prices of the models",
      labelNames: ["provider"] as const,
      registers
    })
    const queueDepth = new Gauge({
      name: "tracepipe_job_queue_depth",
      help: "Workflows that were begun and are not finished, by kind; of all processes together",
      labelNames: ["kind"] as const,
      registers
    })
    const queueOldest = new Gauge({
      name: "tracepipe_job_queue_oldest_seconds",
      help: "Age of the oldest workflow that is not finished, by kind",
      labelNames: ["kind"] as const,
      registers
    })
    const jobs = new Histogram({
      name: "tracepipe_job_duration_seconds",
      help: "Time from a job's first stage to its end, by kind and status",
      labelNames: ["kind", "status"] as const,
      buckets: [0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800],
      registers
    })
    const stages = new Histogram({
      name: "tracepipe_job_stage_duration_seconds",
      help: "Time that one stage of a job took, waiting for what is away included",
      labelNames: ["kind", "stage"] as const,
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300],
      registers
    })
    const rateLimited = new Counter({
      name: "tracepipe_rate_limited_total",
      help: "Requests refused for a rate limit, a quota or failed authentications, by the limit",
      labelNames: ["limit"] as const,
      registers
    })
    const rateLimitsLocal = new Counter({
      name: "tracepipe_rate_limits_local_total",
      help: "Requests counted by this process alone, as the shared store of the limits did not answer",
      registers
    })
    const mcpSessions = new Gauge({
      name: "tracepipe_mcp_sessions",
      help: "Sessions of the MCP endpoint that are kept by this process",
      registers
    })
    const started = Date.now()
    new Gauge({
      name: "process_resident_memory_bytes",
      help: "Resident memory size in bytes",
      registers,
      collect() {
        this.set(process.memoryUsage.rss())
      }
    })
    new Gauge({
      name: "process_cpu_seconds_total",
      help: "User and system CPU time spent in seconds",
      registers,
      collect() {
        const { user, system } = process.cpuUsage()
        this.set((user + system) / 1e6)
      }
    })
    new Gauge({
      name: "process_start_time_seconds",
      help: "Start time of the process since the epoch in seconds",
      registers
    }).set(started / 1000)
    const exposition = Effect.promise(() => Promise.all(registers.map((registry) => registry.metrics()))).pipe(
      Effect.map((texts) => texts.join("\n"))
    )
    return {
      requests,
      active,
      uploads,
      uploadBytes,
      refusedUploads,
      collected,
      llmTokens,
      llmCost,
      queueDepth,
      queueOldest,
      jobs,
      stages,
      rateLimited,
      rateLimitsLocal,
      mcpSessions,
      exposition,
      started
    } as const
  }
}) {}
