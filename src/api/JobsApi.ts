import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { NotFound } from "../domain/Errors.ts"
import { JobId } from "../domain/Ids.ts"
import { Job, JobState } from "../domain/job/Job.ts"
import { Authentication, RequiredScope } from "./Security.ts"

const path = Schema.Struct({ id: JobId })

/** Jobs: work that goes on after the request that asked for it. */
export class JobsApi extends HttpApiGroup.make("jobs")
  .annotate(OpenApi.Description, "Work that goes on after the request that asked for it")
  .add(
    HttpApiEndpoint.get("get", "/v1/jobs/:id")
      .annotate(OpenApi.Summary, "Read how a job goes")
      .setPath(path)
      .addSuccess(Job)
      .addError(NotFound)
      .annotate(RequiredScope, "examples:read")
  )
  .add(
    HttpApiEndpoint.post("cancel", "/v1/jobs/:id/cancel")
      .annotate(OpenApi.Summary, "Cancel a job, with everything that it began and that is not finished")
      .setPath(path)
      .addSuccess(Job)
      .addError(NotFound)
      .addError(JobState)
      .annotate(RequiredScope, "examples:write")
  )
  .middleware(Authentication) {}
