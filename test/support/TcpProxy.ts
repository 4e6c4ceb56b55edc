import { type AddressInfo, connect, createServer, type NetConnectOpts, type Socket } from "node:net"
import { Effect, type Scope } from "effect"

/** Stands between a client and a server, until it is told not to. */
export interface TcpProxy {
  readonly port: number
  /** Drops every connection and refuses new ones. */
  readonly cut: Effect.Effect<void>
  /** Lets connections through again, if they were cut. */
  readonly mend: Effect.Effect<void>
  /** Drops every connection of clients, while those to the server stay for it to find out. */
  readonly abandon: Effect.Effect<void>
  /** What clients send, while it passes. */
  onData: (bytes: Buffer) => void
}

const open = async (upstream: NetConnectOpts) => {
  const clients = new Set<Socket>()
  const servers = new Set<Socket>()
  const pair = (client: Socket) => {
    const server = connect(upstream)
    clients.add(client)
    servers.add(server)
    client.on("data", (bytes: Buffer) => {
      proxy.onData(bytes)
      server.write(bytes)
    })
    server.on("data", (bytes: Buffer) => client.write(bytes))
    client
      .on("error", () => undefined)
      .on("close", () => {
        if (clients.delete(client)) server.destroy()
      })
    server
      .on("error", () => undefined)
      .on("close", () => {
        servers.delete(server)
        client.destroy()
      })
  }
  const listener = createServer(pair)
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => listener.once("error", reject).listen(port, "127.0.0.1", () => resolve()))
  await listen(0)
  // Listening on a port, it has an address of this kind.
  const { port } = listener.address() as AddressInfo
  const drop = () => {
    for (const socket of [...clients, ...servers]) socket.destroy()
  }
  const proxy: TcpProxy = {
    port,
    onData: () => undefined,
    cut: Effect.sync(() => {
      listener.close()
      drop()
    }),
    mend: Effect.promise(() => (listener.listening ? Promise.resolve() : listen(port))),
    abandon: Effect.sync(() => {
      for (const client of [...clients]) {
        clients.delete(client)
        client.destroy()
      }
    })
  }
  return {
    proxy,
    close: Effect.zipRight(
      Effect.sync(drop),
      Effect.sync(() => listener.close())
    )
  }
}

/** A TCP proxy that lives as long as the scope. */
export const tcpProxy = (upstream: NetConnectOpts): Effect.Effect<TcpProxy, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(() => open(upstream)),
      ({ close }) => close
    ),
    ({ proxy }) => proxy
  )

/** A database's address by way of a proxy, and where the proxy has to lead. */
export const proxied = (
  url: string
): { readonly upstream: NetConnectOpts; readonly through: (port: number) => string } => {
  const address = new URL(url.replace("@/", "@localhost/"))
  const folder = address.searchParams.get("host")
  const port = Number(address.searchParams.get("port") ?? (address.port === "" ? 5432 : address.port))
  const upstream = folder === null ? { host: address.hostname, port } : { path: `${folder}/.s.PGSQL.${port}` }
  return {
    upstream,
    through: (to) => `postgres://${address.username}:${address.password}@127.0.0.1:${to}${address.pathname}`
  }
}
