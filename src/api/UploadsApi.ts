import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { Forbidden, NotFound, PayloadTooLarge } from "../domain/Errors.ts"
import { UploadId } from "../domain/Ids.ts"
import { UnknownFormat } from "../domain/session/Session.ts"
import {
  ChecksumMismatch,
  OffsetMismatch,
  TusVersion,
  Upload,
  UploadExpired,
  UploadState
} from "../domain/session/Upload.ts"
import { Authentication, RateGroup, RequiredScope } from "./Security.ts"
import { tusCreation, tusHead, tusOptions, tusPatch, tusTermination } from "./UploadsDocument.ts"

const path = Schema.Struct({ id: UploadId })

const creation = `Begins an upload by tus 1.0, with its first bytes when they come along as \`application/offset+octet-stream\`. \`Upload-Metadata\` names the file (\`filename\`) and says what the session is to be: \`suite_id\`, \`description\`, \`metadata\` as JSON, \`format\`. With \`create_session\` (\`true\`, or no value) and \`suite_id\` the upload becomes a session of its own when its last byte is there, and \`Tracepipe-Session-Id\` names it; otherwise \`POST /v1/sessions\` makes one of the finished uploads. A partial upload needs no metadata.`

const patch = `Adds bytes where the upload is. What came of a body that was cut off is kept; \`HEAD\` tells how much that is. Of two requests to one upload the later one goes on.`

/** Uploads that can be interrupted: tus 1.0. */
export class UploadsApi extends HttpApiGroup.make("uploads")
  .annotate(OpenApi.Description, "Uploads that can be interrupted and taken up again")
  .add(
    HttpApiEndpoint.options("options", "/v1/uploads")
      .annotate(OpenApi.Summary, "What of tus is spoken here")
      .addSuccess(HttpApiSchema.NoContent)
      .annotate(RequiredScope, "sessions:write")
      .annotate(OpenApi.Transform, tusOptions)
  )
  .add(
    HttpApiEndpoint.post("create", "/v1/uploads")
      .annotate(OpenApi.Summary, "Begin a resumable upload, or join finished ones")
      .addSuccess(Upload, { status: 201 })
      .addError(NotFound)
      .addError(UploadExpired)
      .addError(UploadState)
      .addError(OffsetMismatch)
      .addError(ChecksumMismatch)
      .addError(TusVersion)
      .addError(UnknownFormat)
      .addError(PayloadTooLarge)
      .annotate(RequiredScope, "sessions:write")
      .annotate(OpenApi.Description, creation)
      .annotate(OpenApi.Transform, tusCreation)
  )
  .add(
    HttpApiEndpoint.head("head", "/v1/uploads/:id")
      .annotate(OpenApi.Summary, "How much of an upload is there")
      .setPath(path)
      .addSuccess(HttpApiSchema.Empty(200))
      .addError(NotFound)
      .addError(UploadExpired)
      .addError(TusVersion)
      .annotate(RequiredScope, "sessions:write")
      .annotate(OpenApi.Transform, tusHead)
  )
  .add(
    HttpApiEndpoint.patch("append", "/v1/uploads/:id")
      .annotate(OpenApi.Summary, "Continue an upload")
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .addError(Forbidden)
      .addError(UploadExpired)
      .addError(UploadState)
      .addError(OffsetMismatch)
      .addError(ChecksumMismatch)
      .addError(TusVersion)
      .addError(PayloadTooLarge)
      .annotate(RequiredScope, "sessions:write")
      .annotate(RateGroup, "none")
      .annotate(OpenApi.Description, patch)
      .annotate(OpenApi.Transform, tusPatch)
  )
  .add(
    HttpApiEndpoint.del("delete", "/v1/uploads/:id")
      .annotate(OpenApi.Summary, "End an upload and remove its bytes")
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .addError(UploadExpired)
      .addError(UploadState)
      .addError(TusVersion)
      .annotate(RequiredScope, "sessions:write")
      .annotate(OpenApi.Transform, tusTermination)
  )
  .middleware(Authentication) {}
