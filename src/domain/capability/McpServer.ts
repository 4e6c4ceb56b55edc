import { Schema } from "effect"
import { NotFound } from "../Errors.ts"
import { McpServerId } from "../Ids.ts"
import { JsonObject, Text, TimestampText } from "../Json.ts"
import { problem } from "../Problem.ts"
import { inArguments, inEntries, inUrl } from "./CatalogueSecrets.ts"

export const Transport = Schema.Literal("stdio", "sse", "streamable-http", "builtin").annotations({
  identifier: "Transport"
})
export type Transport = typeof Transport.Type

export const Environment = Schema.Literal("development", "staging", "production").annotations({
  identifier: "Environment"
})

export const ServerStatus = Schema.Literal("registered", "active", "inactive", "error").annotations({
  identifier: "ServerStatus"
})

const entries = (name: RegExp, message: string) =>
  Schema.Record({ key: Schema.String, value: Text(0, 4000) }).pipe(
    Schema.filter((record) => Object.keys(record).length <= 50, {
      message: () => "must have at most 50 entries",
      jsonSchema: { maxProperties: 50 }
    }),
    Schema.filter((record) =>
      Object.entries(record).flatMap(([key, value]) =>
        name.test(key) && !/[\r\n]/.test(value) ? [] : [{ path: [key], message }]
      )
    ),
    Schema.filter(inEntries)
  )

const fields = {
  name: Text(1, 200),
  description: Text(0, 10_000),
  transport: Schema.Literal("stdio", "sse", "streamable-http"),
  command: Schema.NullOr(Text(1, 1000)),
  args: Schema.Array(Text(0, 4000)).pipe(Schema.maxItems(100), Schema.filter(inArguments)),
  env: entries(/^[A-Za-z_][A-Za-z0-9_]{0,199}$/, "must be an environment variable on one line"),
  url: Schema.NullOr(
    Text(1, 2000).pipe(
      Schema.filter((text) => /^https?:\/\//i.test(text) && URL.canParse(text), {
        message: () => "must be an http or https URL",
        jsonSchema: { format: "uri", pattern: "^[Hh][Tt][Tt][Pp][Ss]?://" },
        arbitrary: () => (fc) => fc.webUrl()
      }),
      Schema.filter(inUrl)
    )
  ),
  headers: entries(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$/, "must be an HTTP header on one line"),
  environment: Environment,
  tags: Schema.Array(Text(1, 100)).pipe(Schema.maxItems(50)),
  config: JsonObject(64 * 1024),
  version: Text(0, 100),
  health_interval_s: Schema.NullOr(Schema.Int.pipe(Schema.between(5, 86_400))),
  shared: Schema.Boolean
}

/** An MCP server, as the catalogue has it: how it is reached, never what it is opened with. */
export class McpServer extends Schema.Class<McpServer>("McpServer")({
  id: McpServerId,
  name: Schema.String,
  description: Schema.String,
  transport: Transport,
  command: Schema.NullOr(Schema.String),
  args: Schema.Array(Schema.String),
  env: Schema.Record({ key: Schema.String, value: Schema.String }),
  url: Schema.NullOr(Schema.String),
  headers: Schema.Record({ key: Schema.String, value: Schema.String }),
  environment: Environment,
  tags: Schema.Array(Schema.String),
  status: ServerStatus,
  status_reason: Schema.NullOr(Schema.String),
  config: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
  version: Schema.String,
  protocol_version: Schema.NullOr(Schema.String),
  health_interval_s: Schema.NullOr(Schema.Int),
  shared: Schema.Boolean,
  created_at: TimestampText,
  updated_at: TimestampText
}) {}

/** `command` makes a stdio server, `url` a streamable-http one unless `transport` says sse. */
export class CreateMcpServer extends Schema.Class<CreateMcpServer>("CreateMcpServer")(
  {
    name: fields.name,
    description: Schema.optionalWith(fields.description, { default: () => "" }),
    transport: Schema.optionalWith(fields.transport, { exact: true }),
    command: Schema.optionalWith(fields.command, { default: () => null }),
    args: Schema.optionalWith(fields.args, { default: () => [] }),
    env: Schema.optionalWith(fields.env, { default: () => ({}) }),
    url: Schema.optionalWith(fields.url, { default: () => null }),
    headers: Schema.optionalWith(fields.headers, { default: () => ({}) }),
    environment: Schema.optionalWith(fields.environment, { default: () => "development" as const }),
    tags: Schema.optionalWith(fields.tags, { default: () => [] }),
    config: Schema.optionalWith(fields.config, { default: () => ({}) }),
    version: Schema.optionalWith(fields.version, { default: () => "" }),
    health_interval_s: Schema.optionalWith(fields.health_interval_s, { default: () => null }),
    shared: Schema.optionalWith(fields.shared, { default: () => false })
  },
  [undefined, { identifier: "CreateMcpServer" }]
) {}

export class UpdateMcpServer extends Schema.Class<UpdateMcpServer>("UpdateMcpServer")({
  name: Schema.optionalWith(fields.name, { exact: true }),
  description: Schema.optionalWith(fields.description, { exact: true }),
  transport: Schema.optionalWith(fields.transport, { exact: true }),
  command: Schema.optionalWith(fields.command, { exact: true }),
  args: Schema.optionalWith(fields.args, { exact: true }),
  env: Schema.optionalWith(fields.env, { exact: true }),
  url: Schema.optionalWith(fields.url, { exact: true }),
  headers: Schema.optionalWith(fields.headers, { exact: true }),
  environment: Schema.optionalWith(fields.environment, { exact: true }),
  tags: Schema.optionalWith(fields.tags, { exact: true }),
  config: Schema.optionalWith(fields.config, { exact: true }),
  version: Schema.optionalWith(fields.version, { exact: true }),
  health_interval_s: Schema.optionalWith(fields.health_interval_s, { exact: true }),
  shared: Schema.optionalWith(fields.shared, { exact: true })
}) {}

export const mcpServerNotFound = (id: McpServerId) => new NotFound({ detail: `there is no MCP server ${id}` })

/** Names of servers are unique in their organization, among those that are not deleted. */
export class McpServerNameTaken extends Schema.TaggedError<McpServerNameTaken>("McpServerNameTaken")(
  "McpServerNameTaken",
  { name: Schema.String },
  problem(409, "conflict", "An MCP server of this name exists")
) {
  override get message() {
    return `there is an MCP server named ${JSON.stringify(this.name)} already`
  }
}
