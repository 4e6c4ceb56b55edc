import { RedisClient } from "bun"
import { Effect, Redacted, type Scope } from "effect"

export interface Options {
  /** `redis://[user:password@]host:port[/database]`, or `rediss://` for TLS. */
  readonly url: Redacted.Redacted
  /** Connections kept; commands go over them by turns. */
  readonly pool_size: number
}

/** A Lua script, and the name that Redis gives to it. */
export interface Script {
  readonly text: string
  readonly sha: string
}

export const script = (text: string): Script => ({
  text,
  sha: new Bun.CryptoHasher("sha1").update(text).digest("hex")
})

export interface Connections {
  readonly send: (command: string, args: ReadonlyArray<string>) => Promise<unknown>
  /** Runs a script by its name, and by its text where Redis does not know it (any more). */
  readonly run: (script: Script, keys: ReadonlyArray<string>, args: ReadonlyArray<string>) => Promise<unknown>
}

const CONNECT_MS = 2000

/**
 * Connections to Redis. A command fails at once while there is none, and they come back by themselves,
 * however long Redis was away. It waits for the first of them a moment, and goes on without.
 */
export const connections = ({ url, pool_size }: Options): Effect.Effect<Connections, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clients = yield* Effect.acquireRelease(
      Effect.sync(() =>
        Array.from(
          { length: pool_size },
          () =>
            new RedisClient(Redacted.value(url), {
              connectionTimeout: CONNECT_MS,
              autoReconnect: true,
              // For good: after its last attempt a client would never come back.
              maxRetries: 1_000_000_000,
              // What waited for a connection would be counted long after its request was answered.
              enableOfflineQueue: false
            })
        )
      ),
      (opened) =>
        Effect.sync(() => {
          for (const client of opened) client.close()
        })
    )
    const connected = Effect.tryPromise(() => Promise.all(clients.map((client) => client.connect())))
    yield* connected.pipe(
      Effect.timeout(CONNECT_MS),
      Effect.catchAll((error) => Effect.logWarning("Redis does not answer; it is tried again and again", error))
    )
    let turn = 0

    const send = async (command: string, args: ReadonlyArray<string>): Promise<unknown> => {
      turn = (turn + 1) % clients.length
      return clients[turn]?.send(command, [...args])
    }

    const run = async (wanted: Script, keys: ReadonlyArray<string>, args: ReadonlyArray<string>): Promise<unknown> => {
      const rest = [String(keys.length), ...keys, ...args]
      try {
        return await send("EVALSHA", [wanted.sha, ...rest])
      } catch (error) {
        if (error instanceof Error && error.message.startsWith("NOSCRIPT")) return send("EVAL", [wanted.text, ...rest])
        throw error
      }
    }

    return { send, run }
  })
