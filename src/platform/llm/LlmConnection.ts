import { Either, type Redacted } from "effect"
import type { Provider } from "../../domain/example/Model.ts"
import { allowance, hostOf, portOf } from "../egress/HostRules.ts"
import type { Values } from "../Settings.ts"
import { allowedHosts } from "../settings/EgressSettings.ts"

/** What a model's row says about where it is. */
export interface LlmModel {
  readonly provider: typeof Provider.Type
  readonly name: string
  readonly base_url: string | null
}

/** Where a model is called, and with which key. */
export interface LlmConnection {
  readonly provider: Exclude<LlmModel["provider"], "BUILTIN">
  readonly name: string
  /** Without a slash at its end. */
  readonly base_url: string
  readonly api_key: Redacted.Redacted | undefined
}

const own = {
  OPENAI: { base_url: "https://api.openai.com/v1", key: "openai_api_key", variable: "OPENAI_API_KEY" },
  ANTHROPIC: { base_url: "https://api.anthropic.com", key: "anthropic_api_key", variable: "ANTHROPIC_API_KEY" },
  GOOGLE: {
    base_url: "https://generativelanguage.googleapis.com/v1beta",
    key: "google_api_key",
    variable: "GOOGLE_API_KEY"
  }
} as const

const isAtHome = (provider: string): provider is keyof typeof own => provider in own

const sameOrigin = (a: string, b: string | undefined) => b !== undefined && new URL(a).origin === new URL(b).origin

/** `host:port` of every address that is no user's choice: the providers' own, and the configured one. */
export const operatorHosts = ({ llm }: Values): ReadonlyArray<string> =>
  [...Object.values(own).map(({ base_url }) => base_url), ...(llm.base_url === undefined ? [] : [llm.base_url])].map(
    (address) => {
      const url = new URL(address)
      return `${hostOf(url)}:${portOf(url)}`
    }
  )

/**
 * Where a model is called and with which key, or what has to be configured first. A key goes to no
 * other place than the one it was configured for: a model's `base_url` is chosen by a user.
 */
export const connect = (model: LlmModel, settings: Values): Either.Either<LlmConnection, string> => {
  const { provider, name } = model
  const { llm } = settings
  if (provider === "BUILTIN") return Either.left(`${provider}/${name} is no language model`)
  const home = isAtHome(provider) ? own[provider] : undefined
  const isConfigured = llm.provider?.toUpperCase() === provider
  const configured = isConfigured ? (llm.base_url ?? home?.base_url) : undefined
  const base_url = model.base_url ?? configured ?? home?.base_url
  if (base_url === undefined) {
    const word = provider.toLowerCase()
    return Either.left(
      `${provider}/${name} has no address: give the model a base_url, or set LLM_PROVIDER=${word} and LLM_BASE_URL`
    )
  }
  const known = sameOrigin(base_url, configured) || sameOrigin(base_url, home?.base_url)
  const url = new URL(base_url)
  if (!known && allowance(url, allowedHosts(settings)) === undefined) {
    return Either.left(`${url.host} may not be called: set LLM_BASE_URL to it, or add it to ALLOWED_EGRESS_HOSTS`)
  }
  const api_key = sameOrigin(base_url, configured)
    ? (llm.api_key ?? (home !== undefined && sameOrigin(base_url, home.base_url) ? llm[home.key] : undefined))
    : home !== undefined && sameOrigin(base_url, home.base_url)
      ? llm[home.key]
      : undefined
  if (api_key === undefined && provider !== "CUSTOM") {
    const wanted =
      home !== undefined && sameOrigin(base_url, home.base_url)
        ? `${home.variable}, or LLM_PROVIDER=${provider.toLowerCase()} and LLM_API_KEY`
        : `LLM_API_KEY, with LLM_PROVIDER=${provider.toLowerCase()} and LLM_BASE_URL=${new URL(base_url).origin}…`
    return Either.left(`there is no key for ${provider}/${name}: set ${wanted}`)
  }
  return Either.right({ provider, name, base_url: base_url.replace(/\/+$/, ""), api_key })
}
