import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { ActionNameTaken } from "../domain/capability/Action.ts"
import { NeededByMaps } from "../domain/capability/ActionToolMap.ts"
import { CreateSuite, Suite, SuiteInUse, SuiteNameTaken, UpdateSuite } from "../domain/capability/Suite.ts"
import { AppliedSuite, PutSuite } from "../domain/capability/Surface.ts"
import { NotFound } from "../domain/Errors.ts"
import { SuiteId } from "../domain/Ids.ts"
import { Page, pageFields, SearchText } from "../domain/Page.ts"
import { Authentication, RequiredScope } from "./Security.ts"

const path = Schema.Struct({ id: SuiteId })

/** Suites: the applications that people use. */
export class SuitesApi extends HttpApiGroup.make("suites")
  .annotate(OpenApi.Description, "The applications that people use, and that sessions are recorded in")
  .add(
    HttpApiEndpoint.post("create", "/v1/suites")
      .annotate(OpenApi.Summary, "Make a suite")
      .setPayload(CreateSuite)
      .addSuccess(Suite, { status: 201 })
      .addError(NotFound)
      .addError(SuiteNameTaken)
      .annotate(RequiredScope, "suites:write")
  )
  .add(
    HttpApiEndpoint.put("put", "/v1/suites")
      .annotate(OpenApi.Summary, "Make a suite and all its actions what they shall be, found by its name")
      .setPayload(PutSuite)
      .addSuccess(AppliedSuite)
      .addSuccess(AppliedSuite, { status: 201 })
      .addError(NotFound)
      .addError(SuiteNameTaken)
      .addError(ActionNameTaken)
      .addError(NeededByMaps)
      .annotate(RequiredScope, "suites:write")
  )
  .add(
    HttpApiEndpoint.get("list", "/v1/suites")
      .annotate(OpenApi.Summary, "List suites, newest first")
      .setUrlParams(Schema.Struct({ ...pageFields, q: SearchText }))
      .addSuccess(Page("SuitePage", Suite))
      .annotate(RequiredScope, "suites:read")
  )
  .add(
    HttpApiEndpoint.get("get", "/v1/suites/:id")
      .annotate(OpenApi.Summary, "Read a suite")
      .setPath(path)
      .addSuccess(Suite)
      .addError(NotFound)
      .annotate(RequiredScope, "suites:read")
  )
  .add(
    HttpApiEndpoint.patch("update", "/v1/suites/:id")
      .annotate(OpenApi.Summary, "Change a suite")
      .setPath(path)
      .setPayload(UpdateSuite)
      .addSuccess(Suite)
      .addError(NotFound)
      .addError(SuiteNameTaken)
      .annotate(RequiredScope, "suites:write")
  )
  .add(
    HttpApiEndpoint.del("delete", "/v1/suites/:id")
      .annotate(OpenApi.Summary, "Delete a suite, with its actions, that no session belongs to and no map needs")
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .addError(SuiteInUse)
      .addError(NeededByMaps)
      .annotate(RequiredScope, "suites:write")
  )
  .middleware(Authentication) {}
