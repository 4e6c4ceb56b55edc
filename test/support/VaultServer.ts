import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect } from "effect"

interface Version {
  data: unknown
  destroyed: boolean
}

interface Body {
  readonly role_id?: unknown
  readonly secret_id?: unknown
  readonly max_versions?: unknown
  readonly data?: unknown
  readonly options?: { readonly cas?: unknown }
  readonly versions?: unknown
}

interface Secret {
  max_versions: number
  current: number
  readonly versions: Map<number, Version>
}

interface Token {
  expires_at: number
  readonly ends_at: number
  readonly renewable: boolean
}

/** The calls of Vault's HTTP API that are documented for KV version 2, AppRole and tokens, strictly. */
export interface VaultServer {
  readonly address: string
  readonly root_token: string
  readonly role: { readonly role_id: string; readonly secret_id: string }
  /** `METHOD /path` of each request, in order. */
  readonly calls: Array<string>
  /** The next so many requests are answered with this status, as a sealed or busy Vault does. */
  ill: { status: number; times: number }
  /** Life of AppRole's tokens in seconds, and how long they can be renewed. */
  ttl: { lease: number; longest: number }
  readonly revokeAll: () => void
  /** The namespace that requests have to name. */
  namespace: string | undefined
}

const mount = "secret"

const json = (response: ServerResponse, status: number, body?: unknown) => {
  if (body === undefined) return response.writeHead(status).end()
  return response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
}

const errors = (response: ServerResponse, status: number, ...messages: ReadonlyArray<string>) =>
  json(response, status, { errors: messages })

const read = async (request: IncomingMessage): Promise<Body | undefined> => {
  let text = ""
  for await (const chunk of request) text += chunk
  return text === "" ? undefined : JSON.parse(text)
}

const fresh = () => `hvs.${crypto.randomUUID()}`

export const vaultServer = Effect.acquireRelease(
  Effect.promise(async () => {
    const secrets = new Map<string, Secret>()
    const tokens = new Map<string, Token>()
    const world: Omit<VaultServer, "address"> = {
      root_token: fresh(),
      role: { role_id: crypto.randomUUID(), secret_id: crypto.randomUUID() },
      calls: [],
      ill: { status: 503, times: 0 },
      ttl: { lease: 3600, longest: 36_000 },
      revokeAll: () => tokens.clear(),
      namespace: undefined
    }

    const grant = (token: string, { expires_at, renewable }: Token) => ({
      request_id: crypto.randomUUID(),
      auth: {
        client_token: token,
        policies: ["tracepipe"],
        lease_duration: Math.max(0, Math.ceil((expires_at - Date.now()) / 1000)),
        renewable
      }
    })

    const auth = (path: string, body: Body, token: string, response: ServerResponse) => {
      if (path === "auth/approle/login") {
        const { role_id, secret_id } = world.role
        if (body.role_id !== role_id || body.secret_id !== secret_id)
          return errors(response, 400, "invalid role or secret ID")
        const made = fresh()
        const now = Date.now()
        const { lease, longest } = world.ttl
        const granted = { expires_at: now + lease * 1000, ends_at: now + longest * 1000, renewable: true }
        tokens.set(made, granted)
        return json(response, 200, grant(made, granted))
      }
      const known = tokens.get(token)
      if (path !== "auth/token/renew-self" || known === undefined) return errors(response, 403, "permission denied")
      known.expires_at = Math.min(Date.now() + world.ttl.lease * 1000, known.ends_at)
      return json(response, 200, grant(token, known))
    }

    const kv = (
      method: string,
      kind: string,
      name: string,
      query: URLSearchParams,
      body: Body | undefined,
      response: ServerResponse
    ) => {
      const found = secrets.get(name)
      const make = (): Secret => {
        const made = found ?? { max_versions: 0, current: 0, versions: new Map() }
        secrets.set(name, made)
        return made
      }
      const isWrite = method === "POST" || method === "PUT"
      if (kind === "metadata" && isWrite) {
        const secret = make()
        if (typeof body?.max_versions === "number") secret.max_versions = body.max_versions
        return json(response, 204)
      }
      if (kind === "metadata" && method === "DELETE") {
        secrets.delete(name)
        return json(response, 204)
      }
      if (kind === "metadata" && method === "GET") {
        if (found === undefined) return errors(response, 404)
        const versions = [...found.versions].map(([version, { destroyed }]) => [
          version,
          { created_time: new Date().toISOString(), deletion_time: "", destroyed }
        ])
        return json(response, 200, {
          data: {
            cas_required: false,
            current_version: found.current,
            oldest_version: Math.min(...found.versions.keys(), found.current),
            max_versions: found.max_versions,
            versions: Object.fromEntries(versions)
          }
        })
      }
      if (kind === "data" && isWrite) {
        if (typeof body?.data !== "object" || body?.data === null) return errors(response, 400, "no data provided")
        const cas = body.options?.cas
        if (cas !== undefined && cas !== (found?.current ?? 0)) {
          return errors(response, 400, "check-and-set parameter did not match the current version")
        }
        const secret = make()
        secret.current += 1
        secret.versions.set(secret.current, { data: body.data, destroyed: false })
        const kept = secret.max_versions === 0 ? 10 : secret.max_versions
        for (const version of secret.versions.keys())
          if (version <= secret.current - kept) secret.versions.delete(version)
        return json(response, 200, {
          data: { version: secret.current, created_time: new Date().toISOString(), deletion_time: "", destroyed: false }
        })
      }
      if (kind === "data" && method === "GET") {
        const asked = Number(query.get("version") ?? 0)
        const version = asked === 0 ? (found?.current ?? 0) : asked
        const one = found?.versions.get(version)
        if (one === undefined) return errors(response, 404)
        const metadata = { version, destroyed: one.destroyed, deletion_time: "" }
        // A version that was destroyed is a 404 with a body.
        return json(response, one.destroyed ? 404 : 200, { data: { data: one.destroyed ? null : one.data, metadata } })
      }
      if (kind === "destroy" && isWrite) {
        if (!Array.isArray(body?.versions)) return errors(response, 400, "No version number provided")
        for (const version of body.versions) {
          const one = found?.versions.get(version)
          if (one !== undefined) Object.assign(one, { data: null, destroyed: true })
        }
        return json(response, 204)
      }
      return errors(response, 405, "unsupported operation")
    }

    const server = createServer(async (request, response) => {
      const { method = "", headers } = request
      const url = new URL(request.url ?? "/", "http://vault")
      const body = await read(request)
      world.calls.push(`${method} ${url.pathname}${url.search}`)
      if (world.ill.times > 0) {
        world.ill.times -= 1
        return errors(
          response,
          world.ill.status,
          world.ill.status === 503 ? "Vault is sealed" : "request rate limit exceeded"
        )
      }
      if (headers["x-vault-request"] !== "true" || headers["x-vault-namespace"] !== world.namespace) {
        return errors(response, 400, "no such namespace, or no X-Vault-Request")
      }
      const path = url.pathname.replace(/^\/v1\//, "")
      const token = String(headers["x-vault-token"] ?? "")
      if (path.startsWith("auth/")) return auth(path, body ?? {}, token, response)
      const known = tokens.get(token)
      if (token !== world.root_token && (known === undefined || known.expires_at <= Date.now())) {
        return errors(response, 403, "permission denied", "invalid token")
      }
      const [, kind = "", name = ""] = /^secret\/(data|metadata|destroy)\/(.+)$/.exec(path) ?? []
      if (kind === "") return errors(response, 404, `no handler for route ${JSON.stringify(path)}`)
      return kv(method, kind, name, url.searchParams, body, response)
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()))
    const { port } = server.address() as AddressInfo
    return { server, vault: Object.assign(world, { address: `http://127.0.0.1:${port}` }) satisfies VaultServer }
  }),
  ({ server }) =>
    Effect.sync(() => {
      server.closeAllConnections()
      server.close()
    })
).pipe(Effect.map(({ vault }): VaultServer => vault))

/** The mount that the server has. */
export const vaultMount = mount
