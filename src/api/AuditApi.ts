import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { NotFound } from "../domain/Errors.ts"
import { AuditEntryId } from "../domain/Ids.ts"
import { AuditCheckpoint, AuditEntry, AuditProof, NotSealedYet } from "../domain/identity/AuditEntry.ts"
import { Text, TimestampText } from "../domain/Json.ts"
import { Page, pageFields } from "../domain/Page.ts"
import { Authentication, RequiredScope } from "./Security.ts"
import type { Transform } from "./Transform.ts"

const optional = <A, I, R>(schema: Schema.Schema<A, I, R>) => Schema.optionalWith(schema, { exact: true })

const Exact = optional(Text(1, 200))

const Count = Schema.String.pipe(
  Schema.filter((text) => /^\d{1,15}$/.test(text), { message: () => "must be a whole number of entries" }),
  Schema.compose(Schema.NumberFromString)
).annotations({ jsonSchema: { type: "integer", minimum: 0 } })

export const AuditPage = Page("AuditPage", AuditEntry)

/** The same answer as JSON Lines, which the derivation does not know of. */
const orExported: Transform = (operation) => {
  const responses = Object(operation["responses"])
  const found = Object(responses["200"])
  const content = { ...found.content, "application/x-ndjson": { schema: { type: "string" } } }
  return { ...operation, responses: { ...responses, 200: { ...found, content } } }
}

/** What was done, by whom, in an order that nobody can change afterwards. */
export class AuditApi extends HttpApiGroup.make("audit")
  .annotate(OpenApi.Description, "What was done, by whom, and the proof that nobody changed it afterwards")
  .add(
    HttpApiEndpoint.get("list", "/v1/audit/logs")
      .annotate(OpenApi.Summary, "List audit entries, newest first, or export them")
      .annotate(
        OpenApi.Description,
        "With `format=jsonl` all entries that fit as JSON Lines (`application/x-ndjson`), streamed, sealed ones only, in the order of the log, from `seq` 0 on: what `tracepipe audit verify` reads. They have no `ip`: what is personal is in `personal` alone, encrypted, so that it can be erased. An entry that somebody removed from the database is a line with `missing: true`."
      )
      .setUrlParams(
        Schema.Struct({
          ...pageFields,
          format: optional(Schema.Literal("json", "jsonl")).annotations({ description: "`jsonl` exports" }),
          actor: Exact.annotations({ description: "Only what this one did: `user/<id>`" }),
          action: Exact.annotations({ description: "Only this action: `suite.create`" }),
          resource: Exact.annotations({ description: "Only what was done to this: `suite/<id>`" }),
          from: optional(TimestampText).annotations({ description: "Only from this moment on" }),
          to: optional(TimestampText).annotations({ description: "Only before this moment" })
        })
      )
      .addSuccess(AuditPage)
      .annotate(OpenApi.Transform, orExported)
      .annotate(RequiredScope, "audit:read")
  )
  .add(
    HttpApiEndpoint.get("checkpoint", "/v1/audit/checkpoint")
      .annotate(OpenApi.Summary, "Read the newest signed checkpoint, or an older one")
      .annotate(
        OpenApi.Description,
        "About every second in which something was done, the log is sealed up to there and what it comes to is signed. Whoever keeps a checkpoint elsewhere can show later that nothing before it was changed."
      )
      .setUrlParams(
        Schema.Struct({
          size: optional(Count).annotations({ description: "The checkpoint of so many entries" }),
          from: optional(Count).annotations({ description: "With the proof that it goes on from so many entries" })
        })
      )
      .addSuccess(AuditCheckpoint)
      .addError(NotFound)
      .annotate(RequiredScope, "audit:read")
  )
  .add(
    HttpApiEndpoint.get("proof", "/v1/audit/logs/:id/proof")
      .annotate(OpenApi.Summary, "Prove that an entry is in the log")
      .setPath(Schema.Struct({ id: AuditEntryId }))
      .addSuccess(AuditProof)
      .addError(NotFound)
      .addError(NotSealedYet)
      .annotate(RequiredScope, "audit:read")
  )
  .middleware(Authentication) {}
