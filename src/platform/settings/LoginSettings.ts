import { Config } from "effect"
import * as Setting from "../Setting.ts"

const { optional, secret, setting } = Setting

/** Where people of an e-mail domain belong when they log in for the first time. */
export interface AutoProvision {
  readonly domain: string
  /** The organization's slug. */
  readonly organization: string
  readonly role: "admin" | "member" | "viewer"
}

const rule = /^([a-z0-9.-]+\.[a-z]{2,}|localhost)=([a-z0-9][a-z0-9-]{0,62}):(admin|member|viewer)$/

const autoProvision = (name: string): Config.Config<ReadonlyArray<AutoProvision>> =>
  Setting.checked(name, "rules such as example.com=default:member, comma-separated", (text) => {
    const rules = text
      .split(",")
      .map((item) => item.trim().toLowerCase())
      .filter((item) => item !== "")
      .map((item) => rule.exec(item))
    const found = rules.flatMap((match) =>
      match === null
        ? []
        : [{ domain: match[1] ?? "", organization: match[2] ?? "", role: match[3] as AutoProvision["role"] }]
    )
    return found.length === rules.length ? found : undefined
  })

/** Who may log in, and how this service signs its own tokens. */
export const login = Config.all({
  oidc_discovery_url: optional("OIDC_DISCOVERY_URL", Setting.url("http://", "https://"), {
    shown: "–",
    description: "the OpenID provider: its issuer, or the address of its `/.well-known/openid-configuration`"
  }),
  oidc_client_id: optional("OIDC_CLIENT_ID", Config.nonEmptyString, {
    shown: "–",
    description: "this service's client at the OpenID provider"
  }),
  oidc_client_secret: secret("OIDC_CLIENT_SECRET", { shown: "none: a public client", description: "its secret" }),
  oidc_audience: optional("OIDC_AUDIENCE", Config.nonEmptyString, {
    shown: "PUBLIC_URL",
    description: "audience that the provider's access tokens must name to be taken here"
  }),
  better_auth_url: optional("BETTER_AUTH_URL", Setting.url("http://", "https://"), {
    shown: "–",
    description: "a Better Auth server whose JWTs are taken, verified through its JWKS"
  }),
  auto_provision: setting("AUTH_AUTO_PROVISION", autoProvision, {
    fallback: [],
    shown: "none: people need an invitation",
    description:
      "organization and role of people who log in for the first time, by the domain of their verified e-mail: `example.com=default:member`, comma-separated"
  }),
  jwt_secret_key: secret("JWT_SECRET_KEY", {
    shown: "generated, kept in the secret store",
    description:
      "seed of the key that signs access tokens, 32 characters or more; `new,old` while it is rotated: the first signs, both verify"
  })
})
