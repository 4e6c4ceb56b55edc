import { AgentCard } from "@a2a-js/sdk"
import { LegacyRestTransportHandler } from "@a2a-js/sdk/compat/v0_3/server"
import { type A2ARequestHandler, ServerCallContext } from "@a2a-js/sdk/server"
import { isObject, type JsonObject } from "./Json.ts"

const jsonOf = (card: AgentCard): JsonObject => {
  const json = AgentCard.toJSON(card)
  return isObject(json) ? json : {}
}

/** The library translates a card only where it answers a request for one. */
const translated = async (card: AgentCard): Promise<JsonObject> => {
  const holder: Pick<A2ARequestHandler, "getAuthenticatedExtendedAgentCard"> = {
    getAuthenticatedExtendedAgentCard: () => Promise.resolve(card)
  }
  // Nothing else of the handler is called to answer that.
  const transport = new LegacyRestTransportHandler(holder as A2ARequestHandler)
  return { ...(await transport.getAuthenticatedExtendedAgentCard(new ServerCallContext())) }
}

/** The card as clients of A2A 1.0 read it. */
export const form10 = jsonOf

const schemesOf = (card: JsonObject): JsonObject => {
  const schemes = card["securitySchemes"]
  return isObject(schemes) ? schemes : {}
}

const merged = (older: unknown, newer: unknown): JsonObject => ({
  ...(isObject(newer) ? newer : {}),
  ...(isObject(older) ? older : {})
})

/**
 * One card for clients that do not say which version they read: those of 0.3 find what they need, and
 * leave the rest; those of 1.0 likewise.
 */
export const formBoth = async (card: AgentCard): Promise<JsonObject> => {
  const newer = jsonOf(card)
  const older = await translated(card)
  const [olderSchemes, newerSchemes] = [schemesOf(older), schemesOf(newer)]
  return {
    ...newer,
    ...older,
    capabilities: merged(older["capabilities"], newer["capabilities"]),
    securitySchemes: Object.fromEntries(
      Object.keys(newerSchemes).map((name) => [name, merged(olderSchemes[name], newerSchemes[name])])
    ),
    skills: newer["skills"]
  }
}

/** The card in the JSON of 0.3's protocol buffers, which its REST binding speaks: security is written as in 1.0. */
export const buffered03 = async (card: AgentCard): Promise<JsonObject> => {
  const newer = jsonOf(card)
  return {
    ...(await translated(card)),
    securitySchemes: newer["securitySchemes"],
    security: newer["securityRequirements"]
  }
}
