import { Options } from "@effect/cli"
import { FetchHttpClient } from "@effect/platform"
import { Config, Effect, Option, Redacted, Schema } from "effect"
import * as Client from "../client.ts"
import { SuiteId } from "../domain/Ids.ts"

/** Where the service is and who asks, as given on the command line or in the environment. */
export interface Connection {
  readonly url: string
  readonly api_key: Option.Option<Redacted.Redacted>
}

/** No answer came from where the service should be. */
export class ServiceUnreachable extends Schema.TaggedError<ServiceUnreachable>("cli/ServiceUnreachable")(
  "ServiceUnreachable",
  { url: Schema.String, reason: Schema.String }
) {
  override get message() {
    return `nothing answers at ${this.url} (${this.reason}): is the service running, and is --url (or TRACEPIPE_URL) right?`
  }
}

/** Something answered that does not speak the contract. */
export class ForeignAnswer extends Schema.TaggedError<ForeignAnswer>("cli/ForeignAnswer")("ForeignAnswer", {
  url: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.url} does not answer as this version of Tracepipe does (${this.detail}): is --url (or TRACEPIPE_URL) right?`
  }
}

class ApiKeyMissing extends Schema.TaggedError<ApiKeyMissing>("cli/ApiKeyMissing")("ApiKeyMissing", {}) {
  override get message() {
    return "an API key is needed: give --api-key, or set TRACEPIPE_API_KEY"
  }
}

class UrlMalformed extends Schema.TaggedError<UrlMalformed>("cli/UrlMalformed")("UrlMalformed", {
  url: Schema.String
}) {
  override get message() {
    return `--url (or TRACEPIPE_URL): expected an address such as http://127.0.0.1:8000, got ${JSON.stringify(this.url)}`
  }
}

class SuiteUnknown extends Schema.TaggedError<SuiteUnknown>("cli/SuiteUnknown")("SuiteUnknown", {
  name: Schema.String,
  similar: Schema.Array(Schema.String)
}) {
  override get message() {
    const hint =
      this.similar.length === 0 ? "" : `; there is ${this.similar.map((name) => JSON.stringify(name)).join(", ")}`
    return `no suite is named ${JSON.stringify(this.name)}${hint}: give the name or the id of one that exists`
  }
}

/** `--url` and `--api-key`, or TRACEPIPE_URL and TRACEPIPE_API_KEY. */
export const connection = {
  url: Options.text("url").pipe(
    Options.withFallbackConfig(Config.nonEmptyString("TRACEPIPE_URL")),
    Options.withDefault("http://127.0.0.1:8000"),
    Options.withDescription("where the service is; TRACEPIPE_URL otherwise, or http://127.0.0.1:8000")
  ),
  api_key: Options.redacted("api-key").pipe(
    Options.withFallbackConfig(Config.redacted(Config.nonEmptyString("TRACEPIPE_API_KEY"))),
    Options.optional,
    Options.withDescription("the API key; TRACEPIPE_API_KEY otherwise")
  )
}

/** The address without its last slash, checked. */
export const baseUrl = (url: string): Effect.Effect<string, UrlMalformed> =>
  URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)
    ? Effect.succeed(url.replace(/\/+$/, ""))
    : Effect.fail(new UrlMalformed({ url }))

/** The address and the key, both there and well-formed. */
export const credentials = ({ url, api_key }: Connection) =>
  Effect.gen(function* () {
    const base_url = yield* baseUrl(url)
    return Option.isNone(api_key) ? yield* new ApiKeyMissing() : { base_url, api_key: Redacted.value(api_key.value) }
  })

/** The derived client. */
export const client = (connection: Connection) =>
  Effect.flatMap(credentials(connection), Client.make).pipe(Effect.provide(FetchHttpClient.layer))

export type TypedClient = Effect.Effect.Success<ReturnType<typeof client>>

interface Page<A> {
  readonly items: ReadonlyArray<A>
  readonly next_cursor: string | null
}

/** Every item of a list, page after page. */
export const everything = <A, E, R>(page: (at: { readonly cursor?: string }) => Effect.Effect<Page<A>, E, R>) =>
  Effect.gen(function* () {
    const items: Array<A> = []
    let at: { readonly cursor?: string } | undefined = {}
    while (at !== undefined) {
      const found: Page<A> = yield* page(at)
      items.push(...found.items)
      at = found.next_cursor === null ? undefined : { cursor: found.next_cursor }
    }
    return items
  })

const isSuiteId = Schema.is(SuiteId)

/** The id of the suite that is meant: the text itself when it is an id, or that of the suite of this name. */
export const suiteId = (api: TypedClient, suite: string) =>
  Effect.gen(function* () {
    if (isSuiteId(suite)) return suite
    const found = yield* everything((at) =>
      api.suites.list({ urlParams: { limit: 100, q: suite.slice(0, 200), ...at } })
    )
    const same = found.find(({ name }) => name === suite)
    return same?.id ?? (yield* new SuiteUnknown({ name: suite, similar: found.slice(0, 5).map(({ name }) => name) }))
  })
