import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { DiscoverCapabilities, DiscoverServers, FoundCapability, FoundServer } from "../domain/capability/Discovery.ts"
import { Page } from "../domain/Page.ts"
import { Authentication, RequiredScope } from "./Security.ts"

/** For agents: what there is to use, found by what it does. */
export class DiscoveryApi extends HttpApiGroup.make("discovery")
  .annotate(OpenApi.Description, "What agents can use, found by what it does")
  .add(
    HttpApiEndpoint.get("servers", "/v1/discovery/servers")
      .annotate(OpenApi.Summary, "Find MCP servers, best first")
      .setUrlParams(DiscoverServers)
      .addSuccess(Page("FoundServerPage", FoundServer))
      .annotate(RequiredScope, "servers:read")
  )
  .add(
    HttpApiEndpoint.get("capabilities", "/v1/discovery/capabilities")
      .annotate(OpenApi.Summary, "Find tools, resources and prompts, best first")
      .annotate(
        OpenApi.Description,
        "Searches names, titles, descriptions and the properties of input schemas. What is switched off, is gone or is of a deleted server is not found."
      )
      .setUrlParams(DiscoverCapabilities)
      .addSuccess(Page("FoundCapabilityPage", FoundCapability))
      .annotate(RequiredScope, "servers:read")
  )
  .middleware(Authentication) {}
