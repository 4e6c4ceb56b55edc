import { Schema } from "effect"

export class ServiceInfo extends Schema.Class<ServiceInfo>("ServiceInfo")({
  name: Schema.Literal("tracepipe"),
  version: Schema.String,
  docs: Schema.String,
  openapi: Schema.String
}) {}

export class Health extends Schema.Class<Health>("Health")({
  status: Schema.Literal("ok"),
  database: Schema.Literal("ok"),
  version: Schema.String,
  uptime_s: Schema.Number
}) {}

export class Alive extends Schema.Class<Alive>("Alive")({ status: Schema.Literal("ok") }) {}

export class Dependency extends Schema.Class<Dependency>("Dependency")({
  name: Schema.String,
  kind: Schema.String,
  status: Schema.Literal("ok", "failed"),
  latency_ms: Schema.Number,
  detail: Schema.String
}) {}

/** What operators look at: each dependency asked on the spot. */
export class DetailedHealth extends Schema.Class<DetailedHealth>("DetailedHealth")({
  status: Schema.Literal("ok", "failed"),
  version: Schema.String,
  uptime_s: Schema.Number,
  memory_bytes: Schema.Int,
  active_uploads: Schema.Int,
  dependencies: Schema.Array(Dependency)
}) {}

/** What the service is, and how much it holds. */
export class SystemInfo extends Schema.Class<SystemInfo>("SystemInfo")({
  name: Schema.Literal("tracepipe"),
  version: Schema.String,
  runtime: Schema.String,
  database: Schema.String,
  object_store: Schema.String,
  formats: Schema.Array(Schema.String),
  limits: Schema.Struct({
    max_session_bytes: Schema.Int,
    max_files_per_session: Schema.Int
  })
}) {}
