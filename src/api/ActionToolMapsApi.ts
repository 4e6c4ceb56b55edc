import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import {
  ActionToolMap,
  CreateActionToolMap,
  MapNameTaken,
  UpdateActionToolMap
} from "../domain/capability/ActionToolMap.ts"
import { AppliedActionToolMap, PutActionToolMap } from "../domain/capability/Surface.ts"
import { NotFound } from "../domain/Errors.ts"
import { ActionToolMapId, McpServerId, SuiteId } from "../domain/Ids.ts"
import { Page, pageFields, SearchText } from "../domain/Page.ts"
import { Authentication, RequiredScope } from "./Security.ts"

const path = Schema.Struct({ id: ActionToolMapId })
const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/** Action–tool maps: which tool does what which action does. */
export class ActionToolMapsApi extends HttpApiGroup.make("action_tool_maps")
  .annotate(OpenApi.Description, "Which tool of an MCP server does what a person does in an application")
  .add(
    HttpApiEndpoint.post("create", "/v1/action-tool-maps")
      .annotate(OpenApi.Summary, "Make a map")
      .setPayload(CreateActionToolMap)
      .addSuccess(ActionToolMap, { status: 201 })
      .addError(NotFound)
      .addError(MapNameTaken)
      .annotate(RequiredScope, "maps:write")
  )
  .add(
    HttpApiEndpoint.put("put", "/v1/action-tool-maps")
      .annotate(OpenApi.Summary, "Make a map what it shall be, found by its suite and its name")
      .setPayload(PutActionToolMap)
      .addSuccess(AppliedActionToolMap)
      .addSuccess(AppliedActionToolMap, { status: 201 })
      .addError(NotFound)
      .addError(MapNameTaken)
      .annotate(RequiredScope, "maps:write")
  )
  .add(
    HttpApiEndpoint.get("list", "/v1/action-tool-maps")
      .annotate(OpenApi.Summary, "List maps, newest first")
      .setUrlParams(
        Schema.Struct({ ...pageFields, suite_id: optional(SuiteId), server_id: optional(McpServerId), q: SearchText })
      )
      .addSuccess(Page("ActionToolMapPage", ActionToolMap))
      .annotate(RequiredScope, "maps:read")
  )
  .add(
    HttpApiEndpoint.get("get", "/v1/action-tool-maps/:id")
      .annotate(OpenApi.Summary, "Read a map")
      .setPath(path)
      .addSuccess(ActionToolMap)
      .addError(NotFound)
      .annotate(RequiredScope, "maps:read")
  )
  .add(
    HttpApiEndpoint.patch("update", "/v1/action-tool-maps/:id")
      .annotate(OpenApi.Summary, "Change a map")
      .setPath(path)
      .setPayload(UpdateActionToolMap)
      .addSuccess(ActionToolMap)
      .addError(NotFound)
      .addError(MapNameTaken)
      .annotate(RequiredScope, "maps:write")
  )
  .add(
    HttpApiEndpoint.del("delete", "/v1/action-tool-maps/:id")
      .annotate(OpenApi.Summary, "Delete a map")
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .annotate(RequiredScope, "maps:write")
  )
  .middleware(Authentication) {}
