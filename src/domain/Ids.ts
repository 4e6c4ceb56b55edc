import { Schema } from "effect"

/** `ApiKeyId` in words: `api key`. */
const noun = (brand: string) =>
  brand
    .slice(0, -2)
    .replaceAll(/(?<=.)[A-Z]/g, " $&")
    .toLowerCase()

const id = <const Brand extends string>(brand: Brand) =>
  Schema.UUID.pipe(
    Schema.brand(brand),
    Schema.annotations({
      identifier: brand,
      title: brand,
      description: "UUIDv7",
      jsonSchema: { type: "string", format: "uuid", description: `Id of the ${noun(brand)}, a UUIDv7` }
    })
  )

export const OrganizationId = id("OrganizationId")
export type OrganizationId = typeof OrganizationId.Type

export const UserId = id("UserId")
export type UserId = typeof UserId.Type

export const AgentId = id("AgentId")
export type AgentId = typeof AgentId.Type

export const MembershipId = id("MembershipId")
export type MembershipId = typeof MembershipId.Type

export const InvitationId = id("InvitationId")
export type InvitationId = typeof InvitationId.Type

export const ApiKeyId = id("ApiKeyId")
export type ApiKeyId = typeof ApiKeyId.Type

export const SuiteId = id("SuiteId")
export type SuiteId = typeof SuiteId.Type

export const ActionId = id("ActionId")
export type ActionId = typeof ActionId.Type

export const McpServerId = id("McpServerId")
export type McpServerId = typeof McpServerId.Type

export const CapabilityId = id("CapabilityId")
export type CapabilityId = typeof CapabilityId.Type

export const ActionToolMapId = id("ActionToolMapId")
export type ActionToolMapId = typeof ActionToolMapId.Type

export const ModelId = id("ModelId")
export type ModelId = typeof ModelId.Type

export const SessionId = id("SessionId")
export type SessionId = typeof SessionId.Type

export const SessionFileId = id("SessionFileId")
export type SessionFileId = typeof SessionFileId.Type

export const UploadId = id("UploadId")
export type UploadId = typeof UploadId.Type

export const DirectUploadId = id("DirectUploadId")
export type DirectUploadId = typeof DirectUploadId.Type

export const ExampleId = id("ExampleId")
export type ExampleId = typeof ExampleId.Type

export const JobId = id("JobId")
export type JobId = typeof JobId.Type

export const AuditEntryId = id("AuditEntryId")
export type AuditEntryId = typeof AuditEntryId.Type

export const TokenFamilyId = id("TokenFamilyId")
export type TokenFamilyId = typeof TokenFamilyId.Type

export const A2pTaskId = id("A2pTaskId")
export type A2pTaskId = typeof A2pTaskId.Type

export const LogEntryId = id("LogEntryId")
export type LogEntryId = typeof LogEntryId.Type
