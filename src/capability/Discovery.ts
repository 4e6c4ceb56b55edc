import { Effect } from "effect"
import type { DiscoverCapabilities, DiscoverServers } from "../domain/capability/Discovery.ts"
import { CurrentPrincipal, scope, withPolicy } from "../domain/Principal.ts"
import * as Keyset from "../platform/Keyset.ts"
import { DiscoveryRepo } from "./DiscoveryRepo.ts"

/** Finds servers and what they offer, best first, for somebody who knows what they want done. */
export class Discovery extends Effect.Service<Discovery>()("capability/Discovery", {
  dependencies: [DiscoveryRepo.Default],
  effect: Effect.gen(function* () {
    const repo = yield* DiscoveryRepo
    const read = withPolicy(scope("servers:read"))

    const servers = Effect.fn("Discovery.servers")(function* (query: DiscoverServers) {
      const { org_id } = yield* CurrentPrincipal
      const keyset = yield* Keyset.position(query.cursor)
      return Keyset.page(yield* repo.servers(org_id, query, keyset), query.limit)
    }, read)

    const capabilities = Effect.fn("Discovery.capabilities")(function* (query: DiscoverCapabilities) {
      const { org_id } = yield* CurrentPrincipal
      const keyset = yield* Keyset.position(query.cursor)
      return Keyset.page(yield* repo.capabilities(org_id, query, keyset), query.limit)
    }, read)

    return { servers, capabilities } as const
  })
}) {}
