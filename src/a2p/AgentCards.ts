import { AgentCard } from "@a2a-js/sdk"
import { version } from "../api/Version.ts"
import { publicUrl } from "../identity/ServiceAddress.ts"
import type { Values } from "../platform/Settings.ts"
import { versions } from "./Versions.ts"

/** What a card says of one thing that the service can be asked for. */
export interface CardSkill {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly tags: ReadonlyArray<string>
  readonly examples: ReadonlyArray<string>
  readonly inputSchema: unknown
  readonly outputSchema: unknown
}

const bindings = ["JSONRPC", "HTTP+JSON"] as const

const requirement = (scheme: string) => ({ schemes: { [scheme]: { list: [] } } })

const schemes = (values: Values, address: string) => {
  const { oidc_discovery_url } = values.login
  return {
    apiKey: {
      apiKeySecurityScheme: {
        location: "header",
        name: "X-API-Key",
        description: "An API key: `tracepipe keys create`, or POST /v1/api-keys"
      }
    },
    bearer: {
      httpAuthSecurityScheme: { scheme: "Bearer", bearerFormat: "JWT", description: "An access token of this service" }
    },
    oauth2: {
      oauth2SecurityScheme: {
        description: "An agent's client id and secret are exchanged for an access token",
        flows: {
          clientCredentials: { tokenUrl: `${address}/auth/token`, scopes: { "a2p:use": "send requests by A2P" } }
        }
      }
    },
    ...(oidc_discovery_url === undefined
      ? {}
      : {
          openIdConnect: {
            openIdConnectSecurityScheme: {
              openIdConnectUrl: oidc_discovery_url.includes("/.well-known/")
                ? oidc_discovery_url
                : `${oidc_discovery_url.replace(/\/+$/, "")}/.well-known/openid-configuration`,
              description: "A person's login"
            }
          }
        })
  }
}

/** What is told to everybody; the schemas of a skill are told to the authenticated. */
const skillOf = ({ id, name, description, tags, examples }: CardSkill) => ({
  id,
  name,
  description,
  tags,
  examples,
  inputModes: ["application/json"],
  outputModes: ["application/json"]
})

/** Where the extended card describes what each skill takes and gives. */
export const SKILL_SCHEMAS = "urn:tracepipe:a2a:skill-schemas:1"

const schemasOf = (skills: ReadonlyArray<CardSkill>) =>
  Object.fromEntries(
    skills.map(({ id, inputSchema, outputSchema }) => [id, { input: inputSchema, output: outputSchema }])
  )

/** The signature of push notifications, for those who want to check it. */
const signature = {
  uri: "https://www.standardwebhooks.com/",
  description:
    "Push notifications are signed (webhook-id, webhook-timestamp, webhook-signature). The secret is the configuration's token: one that begins with whsec_ is never sent along; one that comes with a message needs it; for one that is created for a task one is made, and answered then",
  required: false
}

/**
 * The agent card. `extended`: the one for the authenticated, which holds the JSON Schemas of the skills'
 * input and output as well.
 */
export const agentCard = (
  values: Values,
  skills: ReadonlyArray<CardSkill>,
  { extended }: { readonly extended: boolean }
): AgentCard => {
  const address = publicUrl(values)
  const securitySchemes = schemes(values, address)
  return AgentCard.fromJSON({
    name: "Tracepipe",
    description:
      "Records sessions of people and agents, makes examples of them, and finds the tools and examples for a task. A request names its skill in a data part: { skill, input }",
    version,
    documentationUrl: `${address}/docs`,
    provider: { organization: "Tracepipe", url: address },
    supportedInterfaces: versions.flatMap((protocolVersion) =>
      bindings.map((protocolBinding) => ({ url: `${address}/a2p`, protocolBinding, protocolVersion }))
    ),
    capabilities: {
      streaming: true,
      pushNotifications: true,
      extendedAgentCard: true,
      extensions: [
        signature,
        ...(extended
          ? [
              {
                uri: SKILL_SCHEMAS,
                description: "The JSON Schemas of what each skill takes and gives, by the skill's id",
                required: false,
                params: schemasOf(skills)
              }
            ]
          : [])
      ]
    },
    securitySchemes,
    securityRequirements: Object.keys(securitySchemes).map(requirement),
    defaultInputModes: ["application/json", "text/plain"],
    defaultOutputModes: ["application/json"],
    skills: skills.map(skillOf)
  })
}
