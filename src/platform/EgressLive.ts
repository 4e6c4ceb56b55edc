import { lookup } from "node:dns/promises"
import { Effect, Layer } from "effect"
import { Egress, EgressFailed, type EgressOptions, EgressRefused } from "./Egress.ts"
import { exchange, NotConnected, type Outgoing } from "./egress/Exchange.ts"
import { check, Refused, type Resolver, shown } from "./egress/Guard.ts"
import { followed, target } from "./egress/Redirects.ts"
import { Settings } from "./Settings.ts"
import { allowedHosts } from "./settings/EgressSettings.ts"

export interface Parts {
  /** Asks for a name's addresses; default: the system. */
  readonly resolve?: Resolver
  /** PEM certificates to trust instead of the system's. */
  readonly ca?: string
}

const system: Resolver = async (host) =>
  (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address)

const defaults = { timeout_ms: 10_000, max_bytes: 1024 * 1024, max_redirects: 3 }

/** Never any of the request: only what the system or this module says. */
const reasonOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  if (cause.message !== "") return cause.message
  return "code" in cause ? String(cause.code) : "it broke off"
}

/** Whole before it is sent, so that it can be sent to a second address or after a redirect. */
const outgoingOf = async (url: URL, init: RequestInit): Promise<Outgoing> => {
  const { headers, body = null, method } = init
  // The address plays no part in it: this finds the content type of a form, and makes bytes of any body.
  const request = new Request("http://localhost/", {
    method: method ?? "GET",
    body,
    ...(headers === undefined || headers === null ? {} : { headers })
  })
  const sent = new Headers(request.headers)
  for (const name of ["host", "connection", "content-length", "transfer-encoding", "proxy-authorization"]) {
    sent.delete(name)
  }
  if (!sent.has("accept-encoding")) sent.set("accept-encoding", "gzip, deflate, br")
  if (!sent.has("user-agent")) sent.set("user-agent", "tracepipe")
  const bytes = body === null ? undefined : new Uint8Array(await request.arrayBuffer())
  return { url, method: request.method, headers: sent, body: bytes }
}

const withBody = ({ status, headers, url }: Response, body: BodyInit | null): Response => {
  const copy = new Response(body, { status, headers })
  Object.defineProperty(copy, "url", { value: url })
  return copy
}

/** Reads the body whole; the Response that comes out has it in memory. */
const whole = async (response: Response): Promise<Response> =>
  response.body === null ? response : withBody(response, await response.arrayBuffer())

/** Ends the signal's wait, too, for what cannot be aborted. */
const aborted = (signal: AbortSignal) =>
  new Promise<never>((_resolve, reject) => {
    const fail = () => reject(signal.reason)
    if (signal.aborted) fail()
    else signal.addEventListener("abort", fail, { once: true })
  })

const make = ({ resolve = system, ca }: Parts) =>
  Effect.gen(function* () {
    const settings = yield* Settings
    const allowed_hosts = allowedHosts(settings)
    const https_only = settings.app_env === "production"

    const addressesOf = (url: URL, { operator_hosts = [], any_public_host = false }: EgressOptions) =>
      check(url, { allowed_hosts, operator_hosts, any_public_host, https_only }, resolve)

    const sent = async (outgoing: Outgoing, options: EgressOptions, signal: AbortSignal): Promise<Response> => {
      const { max_bytes = defaults.max_bytes } = options
      const addresses = await Promise.race([addressesOf(outgoing.url, options), aborted(signal)])
      let failure: unknown = new Error("its name has no address")
      for (const address of addresses) {
        try {
          return await exchange(outgoing, address, { ca, max_bytes, signal })
        } catch (cause) {
          if (!(cause instanceof NotConnected)) throw cause
          failure = cause
        }
      }
      throw failure
    }

    const followedToEnd = async (
      url: URL,
      init: RequestInit,
      options: EgressOptions,
      signal: AbortSignal
    ): Promise<Response> => {
      let outgoing = await outgoingOf(url, init)
      const most = options.max_redirects ?? defaults.max_redirects
      for (let redirects = 0; ; redirects++) {
        const response = await sent(outgoing, options, signal)
        const to = init.redirect === "manual" ? undefined : target(outgoing.url, response)
        if (to === undefined) return response
        await response.body?.cancel()
        if (init.redirect === "error") throw new Error("it leads elsewhere")
        if (redirects === most) throw new Error(`it leads elsewhere more than ${most} times`)
        outgoing = followed(outgoing, to, response.status)
      }
    }

    const fetch = async (address: string | URL, init: RequestInit = {}, options: EgressOptions = {}) => {
      if (!URL.canParse(String(address))) throw new EgressRefused({ url: "the address", reason: "it is no URL" })
      const url = new URL(address)
      const limit = options.timeout_ms ?? defaults.timeout_ms
      const clock = new AbortController()
      let open = false
      const timer = setTimeout(() => clock.abort(new Error(`no whole answer within ${limit} ms`)), limit)
      const signal =
        init.signal === undefined || init.signal === null ? clock.signal : AbortSignal.any([clock.signal, init.signal])
      try {
        const response = await followedToEnd(url, init, options, signal)
        if (options.streamed !== true || response.body === null) {
          return await Promise.race([whole(response), aborted(signal)])
        }
        open = true
        return withBody(response, response.body.pipeThrough(new TransformStream({ flush: () => clearTimeout(timer) })))
      } catch (cause) {
        if (cause instanceof Refused) throw new EgressRefused({ url: shown(url), reason: cause.message })
        const told = clock.signal.aborted ? clock.signal.reason : cause
        throw new EgressFailed({ url: shown(url), reason: reasonOf(told) })
      } finally {
        if (open) timer.unref()
        else clearTimeout(timer)
      }
    }

    const checked = async (address: string | URL, options: EgressOptions, signal: AbortSignal): Promise<void> => {
      if (!URL.canParse(String(address))) throw new EgressRefused({ url: "the address", reason: "it is no URL" })
      const url = new URL(address)
      const limit = AbortSignal.timeout(options.timeout_ms ?? defaults.timeout_ms)
      try {
        const addresses = await Promise.race([addressesOf(url, options), aborted(AbortSignal.any([limit, signal]))])
        if (addresses.length === 0) throw new Error("its name has no address")
      } catch (cause) {
        if (cause instanceof Refused) throw new EgressRefused({ url: shown(url), reason: cause.message })
        throw new EgressFailed({ url: shown(url), reason: reasonOf(cause) })
      }
    }

    const failed = (url: string | URL) => (cause: unknown) =>
      cause instanceof EgressRefused || cause instanceof EgressFailed
        ? cause
        : new EgressFailed({ url: String(url), reason: reasonOf(cause) })

    return Egress.of({
      check: Effect.fn("Egress.check")((url, options = {}) =>
        Effect.tryPromise({ try: (signal) => checked(url, options, signal), catch: failed(url) })
      ),
      request: Effect.fn("Egress.request")((url, init = {}, options = {}) =>
        Effect.tryPromise({
          try: (signal) => fetch(url, { ...init, signal }, options),
          catch: failed(url)
        })
      ),
      fetch:
        (options = {}) =>
        (url, init) =>
          fetch(url, init, options)
    })
  })

/** The guard over the hosts of the configuration; a test gives it names and certificates of its own. */
export const layerWith = (parts: Parts) => Layer.effect(Egress, make(parts))

export const layer = layerWith({})
