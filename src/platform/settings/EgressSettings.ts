import { Config, ConfigError, Either } from "effect"
import { isEntry } from "../egress/HostRules.ts"
import * as Setting from "../Setting.ts"

const hosts = (name: string) =>
  Config.mapOrFail(Setting.list(name), (entries) => {
    const wrong = entries.find((entry) => !isEntry(entry))
    return wrong === undefined
      ? Either.right(entries)
      : Either.left(
          ConfigError.InvalidData([name], `expected host, host:port or *.suffix, got ${JSON.stringify(wrong)}`)
        )
  })

/** Where requests may go whose address a user chose. A function, so that it is declared in its place. */
export const egressSettings = () =>
  Config.all({
    allowed_hosts: Setting.optional("ALLOWED_EGRESS_HOSTS", hosts, {
      shown: "development: localhost; production: none",
      description:
        "hosts that addresses which users chose may lead to, such as a model's base_url: `host`, `host:port` or `*.suffix`, comma-separated; only one that is named whole may have a private address"
    })
  })

interface Values {
  readonly app_env: "development" | "staging" | "production"
  readonly egress: { readonly allowed_hosts: ReadonlyArray<string> | undefined }
}

/** The hosts that users may choose. */
export const allowedHosts = ({ app_env, egress }: Values): ReadonlyArray<string> =>
  egress.allowed_hosts ?? (app_env === "production" ? [] : ["localhost", "127.0.0.1", "[::1]"])
