import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "@effect/platform"
import { Schema } from "effect"
import { CreateSuite, Suite, SuiteInUse, SuiteNameTaken, UpdateSuite } from "../domain/capability/Suite.ts"
import { NotFound } from "../domain/Errors.ts"
import { SuiteId } from "../domain/Ids.ts"
import { Page, pageFields, SearchText } from "../domain/Page.ts"
import { Authentication, RequiredScope } from "./Security.ts"

const path = Schema.Struct({ id: SuiteId })

/** Suites: the applications that people use. */
export class SuitesApi extends HttpApiGroup.make("suites")
  .add(
    HttpApiEndpoint.post("create", "/v1/suites")
      .setPayload(CreateSuite)
      .addSuccess(Suite, { status: 201 })
      .addError(SuiteNameTaken)
      .annotate(RequiredScope, "suites:write")
  )
  .add(
    HttpApiEndpoint.get("list", "/v1/suites")
      .setUrlParams(Schema.Struct({ ...pageFields, q: SearchText }))
      .addSuccess(Page("SuitePage", Suite))
      .annotate(RequiredScope, "suites:read")
  )
  .add(
    HttpApiEndpoint.get("get", "/v1/suites/:id")
      .setPath(path)
      .addSuccess(Suite)
      .addError(NotFound)
      .annotate(RequiredScope, "suites:read")
  )
  .add(
    HttpApiEndpoint.patch("update", "/v1/suites/:id")
      .setPath(path)
      .setPayload(UpdateSuite)
      .addSuccess(Suite)
      .addError(NotFound)
      .addError(SuiteNameTaken)
      .annotate(RequiredScope, "suites:write")
  )
  .add(
    HttpApiEndpoint.del("delete", "/v1/suites/:id")
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .addError(SuiteInUse)
      .annotate(RequiredScope, "suites:write")
  )
  .middleware(Authentication) {}
