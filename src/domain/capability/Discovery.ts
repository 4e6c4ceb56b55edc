import { Schema } from "effect"
import { CapabilityId, McpServerId } from "../Ids.ts"
import { Text } from "../Json.ts"
import { pageFields } from "../Page.ts"
import { Environment, ServerStatus, Transport } from "./McpServer.ts"
import { CapabilityKind } from "./Tool.ts"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

const AnyObject = Schema.Record({ key: Schema.String, value: Schema.Unknown })

const maxProperties = 50

const Score = Schema.Number.annotations({
  description: "How well it fits, from 0 to 1; 0 for all where nothing was searched for"
})

/** Names of properties, separated by commas. */
const PropertyNames = Schema.transform(
  Text(1, 2000).pipe(
    Schema.filter((text) => text.split(",").length <= maxProperties, {
      message: () => `must name ${maxProperties} properties at most`,
      arbitrary: () => (fc) => fc.constantFrom("title", "title,body", "a, b")
    })
  ),
  Schema.Array(Schema.String),
  {
    strict: true,
    decode: (text) => text.split(",").flatMap((name) => (name.trim() === "" ? [] : [name.trim()])),
    encode: (names) => names.join(",")
  }
)

/** Words in any form and order, misspelled ones and parts of names too. */
const Words = optional(
  Text(0, 200).annotations({ description: "Words to find: best first, misspelled ones and parts of names too" })
)

/** What servers are looked for. */
export const DiscoverServers = Schema.Struct({
  ...pageFields,
  capability: optional(
    Text(1, 200).annotations({ description: "Only what offers a tool, resource or prompt of about this name" })
  ),
  tag: optional(Text(1, 100)).annotations({ description: "Only what has this tag" }),
  environment: optional(Environment).annotations({ description: "Only of this environment" }),
  q: Words
})
export type DiscoverServers = typeof DiscoverServers.Type

/** What capabilities are looked for. */
export const DiscoverCapabilities = Schema.Struct({
  ...pageFields,
  name: optional(Text(1, 200)).annotations({ description: "Only what has about this name" }),
  kind: optional(CapabilityKind).annotations({ description: "Only of this kind" }),
  schema: optional(PropertyNames).annotations({
    description: "Only what takes all of these, by the names of its input schema's properties: `title,body`"
  }),
  q: Words
})
export type DiscoverCapabilities = typeof DiscoverCapabilities.Type

/** A server that fits, as far as somebody who looks for one needs it: how it is opened is not told. */
export const FoundServer = Schema.Struct({
  id: McpServerId,
  name: Schema.String,
  description: Schema.String,
  transport: Transport,
  status: ServerStatus,
  url: Schema.NullOr(Schema.String),
  environment: Environment,
  tags: Schema.Array(Schema.String),
  version: Schema.String,
  /** How much it offers. */
  capability_count: Schema.Int,
  score: Score
}).annotations({ identifier: "FoundServer" })
export type FoundServer = typeof FoundServer.Type

/** A tool, resource or prompt that fits, and where it is. */
export const FoundCapability = Schema.Struct({
  id: CapabilityId,
  server: Schema.Struct({
    id: McpServerId,
    name: Schema.String,
    transport: Transport,
    status: ServerStatus,
    url: Schema.NullOr(Schema.String)
  }).annotations({ identifier: "FoundAt" }),
  kind: CapabilityKind,
  name: Schema.String,
  title: Schema.NullOr(Schema.String),
  description: Schema.String,
  input_schema: Schema.NullOr(AnyObject),
  output_schema: Schema.NullOr(AnyObject),
  annotations: Schema.NullOr(AnyObject),
  score: Score
}).annotations({ identifier: "FoundCapability" })
export type FoundCapability = typeof FoundCapability.Type
