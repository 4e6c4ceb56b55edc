import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { Discovery } from "../capability/Discovery.ts"

export const layer = HttpApiBuilder.group(Api, "discovery", (handlers) =>
  Effect.map(Discovery, (discovery) =>
    handlers
      .handle("servers", ({ urlParams }) => discovery.servers(urlParams))
      .handle("capabilities", ({ urlParams }) => discovery.capabilities(urlParams))
  )
)
