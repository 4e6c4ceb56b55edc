import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { NotFound } from "../domain/Errors.ts"
import { AgentId } from "../domain/Ids.ts"
import {
  Agent,
  AgentNameTaken,
  AgentStatus,
  AgentWithSecret,
  CreateAgent,
  RotateSecret,
  UpdateAgent
} from "../domain/identity/Agent.ts"
import { Page, pageFields, SearchText } from "../domain/Page.ts"
import { Authentication, RateGroup, RequiredScope } from "./Security.ts"

const path = Schema.Struct({ id: AgentId })

/** Agents: programs with a client id and a secret of their own. */
export class AgentsApi extends HttpApiGroup.make("agents")
  .annotate(OpenApi.Description, "Programs that act for themselves, with a client id and a secret of their own")
  .add(
    HttpApiEndpoint.post("create", "/v1/agents")
      .annotate(OpenApi.Summary, "Make an agent; its secret is shown this once")
      .setPayload(CreateAgent)
      .addSuccess(AgentWithSecret, { status: 201 })
      .addError(NotFound)
      .addError(AgentNameTaken)
      .annotate(RequiredScope, "agents:write")
      .annotate(RateGroup, "keys")
  )
  .add(
    HttpApiEndpoint.get("list", "/v1/agents")
      .annotate(OpenApi.Summary, "List agents, newest first")
      .setUrlParams(
        Schema.Struct({
          ...pageFields,
          status: Schema.optionalWith(AgentStatus, { exact: true }).annotations({ description: "Only these" }),
          q: SearchText
        })
      )
      .addSuccess(Page("AgentPage", Agent))
      .annotate(RequiredScope, "agents:read")
  )
  .add(
    HttpApiEndpoint.get("get", "/v1/agents/:id")
      .annotate(OpenApi.Summary, "Read an agent, without its secret")
      .setPath(path)
      .addSuccess(Agent)
      .addError(NotFound)
      .annotate(RequiredScope, "agents:read")
  )
  .add(
    HttpApiEndpoint.patch("update", "/v1/agents/:id")
      .annotate(OpenApi.Summary, "Change an agent; disabling it ends its credentials at once")
      .setPath(path)
      .setPayload(UpdateAgent)
      .addSuccess(Agent)
      .addError(NotFound)
      .addError(AgentNameTaken)
      .annotate(RequiredScope, "agents:write")
      .annotate(RateGroup, "keys")
  )
  .add(
    HttpApiEndpoint.del("delete", "/v1/agents/:id")
      .annotate(OpenApi.Summary, "Delete an agent, with its keys")
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .annotate(RequiredScope, "agents:write")
      .annotate(RateGroup, "keys")
  )
  .add(
    HttpApiEndpoint.post("rotate_secret", "/v1/agents/:id/rotate-secret")
      .annotate(OpenApi.Summary, "Give an agent a new secret, which is shown this once; the old one overlaps")
      .setPath(path)
      .setPayload(RotateSecret)
      .addSuccess(AgentWithSecret)
      .addError(NotFound)
      .annotate(RequiredScope, "agents:write")
      .annotate(RateGroup, "keys")
  )
  .middleware(Authentication) {}
