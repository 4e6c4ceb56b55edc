import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { Action, ActionNameTaken, CreateAction, UpdateAction } from "../domain/capability/Action.ts"
import { NeededByMaps } from "../domain/capability/ActionToolMap.ts"
import { NotFound } from "../domain/Errors.ts"
import { ActionId, SuiteId } from "../domain/Ids.ts"
import { Page, pageFields, SearchText } from "../domain/Page.ts"
import { Authentication, RequiredScope } from "./Security.ts"

const suitePath = Schema.Struct({ suite_id: SuiteId })
const path = Schema.Struct({ suite_id: SuiteId, id: ActionId })

/** Actions: what a person does in an application. */
export class ActionsApi extends HttpApiGroup.make("actions")
  .annotate(OpenApi.Description, "What a person does in an application, with the parameters of each thing")
  .add(
    HttpApiEndpoint.post("create", "/v1/suites/:suite_id/actions")
      .annotate(OpenApi.Summary, "Make an action of a suite")
      .setPath(suitePath)
      .setPayload(CreateAction)
      .addSuccess(Action, { status: 201 })
      .addError(NotFound)
      .addError(ActionNameTaken)
      .annotate(RequiredScope, "suites:write")
  )
  .add(
    HttpApiEndpoint.get("list", "/v1/suites/:suite_id/actions")
      .annotate(OpenApi.Summary, "List the actions of a suite, newest first")
      .setPath(suitePath)
      .setUrlParams(Schema.Struct({ ...pageFields, q: SearchText }))
      .addSuccess(Page("ActionPage", Action))
      .addError(NotFound)
      .annotate(RequiredScope, "suites:read")
  )
  .add(
    HttpApiEndpoint.get("get", "/v1/suites/:suite_id/actions/:id")
      .annotate(OpenApi.Summary, "Read an action")
      .setPath(path)
      .addSuccess(Action)
      .addError(NotFound)
      .annotate(RequiredScope, "suites:read")
  )
  .add(
    HttpApiEndpoint.patch("update", "/v1/suites/:suite_id/actions/:id")
      .annotate(OpenApi.Summary, "Change an action")
      .setPath(path)
      .setPayload(UpdateAction)
      .addSuccess(Action)
      .addError(NotFound)
      .addError(ActionNameTaken)
      .addError(NeededByMaps)
      .annotate(RequiredScope, "suites:write")
  )
  .add(
    HttpApiEndpoint.del("delete", "/v1/suites/:suite_id/actions/:id")
      .annotate(OpenApi.Summary, "Delete an action that no map needs")
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .addError(NeededByMaps)
      .annotate(RequiredScope, "suites:write")
  )
  .middleware(Authentication) {}
