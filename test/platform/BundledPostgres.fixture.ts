// Holds a data folder and its bundled PostgreSQL until it is told to end: `bun <this> <data_dir>`.
import { Effect } from "effect"
import * as BundledPostgres from "../../src/platform/BundledPostgres.ts"
import { lockDataFolder } from "../../src/platform/DataFolder.ts"

const data_dir = process.argv[2] ?? "./.data"

const program = Effect.gen(function* () {
  const told = new Promise((resolve) => process.once("SIGTERM", resolve))
  yield* lockDataFolder(data_dir)
  const began = performance.now()
  const connection = yield* BundledPostgres.start(data_dir)
  console.log(`READY ${Math.round(performance.now() - began)} ${connection.host}`)
  yield* Effect.promise(() => told)
})

await Effect.runPromise(Effect.scoped(program))
