import { Effect, Schedule } from "effect"
import { BundledPostgresFailed } from "./BundledPostgresError.ts"
import { endLeftovers } from "./Leftovers.ts"
import type { ServerCredentials } from "./ServerCredentials.ts"
import { run, type ServerProgram } from "./ServerProgram.ts"
import { logIn, makeRoles } from "./ServerRoles.ts"

/** Part of the socket's name; nothing listens on a network. */
export const PORT = 5432

const settings = {
  cluster_name: "tracepipe",
  listen_addresses: "",
  port: PORT,
  // In the data folder, which is the working folder: only its owner and root can get there, and
  // the server needs no path to it that could be too long or closed to it.
  unix_socket_directories: ".",
  unix_socket_permissions: "0700",
  max_connections: 100,
  shared_buffers: "128MB",
  max_wal_size: "1GB",
  fsync: "on",
  synchronous_commit: "on",
  jit: "off",
  timezone: "UTC",
  log_timezone: "UTC",
  logging_collector: "off",
  // Containers have 64 MB in /dev/shm, which parallel queries exceed; this kind is needed to start anyway.
  ...(process.platform === "linux" ? { dynamic_shared_memory_type: "sysv" } : {})
}

const READY_LIMIT = "60 seconds"

const answers = (server: { readonly host: string; readonly port: number; readonly credentials: ServerCredentials }) =>
  logIn(server).pipe(
    Effect.retry({ while: ({ _tag }) => _tag !== "LoginRefused", schedule: Schedule.spaced("10 millis") }),
    Effect.catchTag("LoginRefused", () => makeRoles(server)),
    Effect.timeoutFail({
      duration: READY_LIMIT,
      onTimeout: () => new BundledPostgresFailed({ operation: "start", detail: `no answer within ${READY_LIMIT}` })
    })
  )

/**
 * Starts the server on the database in `folder` and returns when the application's role can log
 * in, after at most a minute. The scope owns the process.
 */
export const startServer = Effect.fn("Server.start")(function* (
  host: ServerProgram,
  folder: string,
  credentials: ServerCredentials
) {
  yield* endLeftovers(folder)
  const program = yield* run(host, "postgres", {
    folder,
    arguments: Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
  })
  const ended = Effect.flatMap(program.exited, () => program.complaint("start"))
  yield* Effect.raceFirst(answers({ host: folder, port: PORT, credentials }), ended)
  return program
})
