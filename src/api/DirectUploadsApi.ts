import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { NotFound, PayloadTooLarge } from "../domain/Errors.ts"
import { DirectUploadId } from "../domain/Ids.ts"
import { UploadTimeout } from "../domain/session/Session.ts"
import {
  CompleteDirectUpload,
  CreateDirectUpload,
  DirectUpload,
  UploadExpired,
  UploadState,
  UrlRefused
} from "../domain/session/Upload.ts"
import { Authentication, RequiredScope } from "./Security.ts"
import { partBody } from "./UploadsDocument.ts"

const path = Schema.Struct({ id: DirectUploadId })

const count = (max: number) =>
  Schema.String.pipe(
    Schema.filter((text) => /^\d{1,12}$/.test(text) && Number(text) >= 1 && Number(text) <= max, {
      message: () => `must be a whole number from 1 to ${max}`
    }),
    Schema.compose(Schema.NumberFromString)
  ).annotations({ jsonSchema: { type: "integer", minimum: 1, maximum: max } })

const creation = `Begins an upload whose bytes go straight to the object store: each part is sent by PUT to its URL, without a credential, in any order and several at once. With files instead of a bucket the URLs are this service's own. \`POST …/complete\` ends it, and \`POST /v1/sessions\` makes a session of it.`

/** Uploads past this service. */
export class DirectUploadsApi extends HttpApiGroup.make("direct_uploads")
  .annotate(OpenApi.Description, "Uploads whose bytes are sent straight to the object store")
  .add(
    HttpApiEndpoint.post("create", "/v1/uploads/direct")
      .annotate(OpenApi.Summary, "Begin a direct upload")
      .setPayload(CreateDirectUpload)
      .addSuccess(DirectUpload, { status: 201 })
      .addError(NotFound)
      .addError(PayloadTooLarge)
      .annotate(RequiredScope, "sessions:write")
      .annotate(OpenApi.Description, creation)
  )
  .add(
    HttpApiEndpoint.get("get", "/v1/uploads/direct/:id")
      .annotate(OpenApi.Summary, "Read a direct upload, with new URLs for its parts")
      .setPath(path)
      .setUrlParams(
        Schema.Struct({
          from_part: Schema.optionalWith(count(10_000), { default: () => 1 }).annotations({
            description: "The first part whose URL is told; at most 1,000 are"
          })
        })
      )
      .addSuccess(DirectUpload)
      .addError(NotFound)
      .addError(UploadExpired)
      .annotate(RequiredScope, "sessions:write")
  )
  .add(
    HttpApiEndpoint.post("complete", "/v1/uploads/direct/:id/complete")
      .annotate(OpenApi.Summary, "End a direct upload: its parts are compared and joined")
      .setPath(path)
      .setPayload(CompleteDirectUpload)
      .addSuccess(DirectUpload)
      .addError(NotFound)
      .addError(UploadExpired)
      .addError(UploadState)
      .annotate(RequiredScope, "sessions:write")
  )
  .add(
    HttpApiEndpoint.del("delete", "/v1/uploads/direct/:id")
      .annotate(OpenApi.Summary, "End a direct upload and remove its parts")
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .addError(UploadExpired)
      .addError(UploadState)
      .annotate(RequiredScope, "sessions:write")
  )
  .middleware(Authentication) {}

/** Where parts are sent whose URLs this service has signed: the signature is the credential. */
export class UploadPartsApi extends HttpApiGroup.make("upload_parts")
  .annotate(OpenApi.Description, "Parts of direct uploads, where the object store is a folder")
  .add(
    HttpApiEndpoint.put("put", "/v1/uploads/direct/:id/part")
      .annotate(OpenApi.Summary, "Send a part to its signed URL")
      .setPath(path)
      .setUrlParams(
        Schema.Struct({
          number: Schema.propertySignature(count(10_000)).annotations({ description: "The part's number" }),
          expires: Schema.propertySignature(count(1e11)).annotations({ description: "As in the URL that was told" }),
          signature: Schema.String.pipe(Schema.pattern(/^[0-9a-f]{64}$/)).annotations({
            description: "As in the URL that was told"
          })
        })
      )
      .addSuccess(HttpApiSchema.Empty(200))
      .addError(NotFound)
      .addError(UrlRefused)
      .addError(UploadExpired)
      .addError(UploadState)
      .addError(UploadTimeout)
      .addError(PayloadTooLarge)
      .annotate(OpenApi.Transform, partBody)
  ) {}
