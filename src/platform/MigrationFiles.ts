import { readdirSync } from "node:fs"
import type { SqlClient } from "@effect/sql"
import type { Effect } from "effect"

/** One step of the schema's history: what it does, and how it is undone. */
export interface Migration {
  readonly up: Effect.Effect<unknown, unknown, SqlClient.SqlClient>
  readonly down: Effect.Effect<unknown, unknown, SqlClient.SqlClient>
}

export interface NumberedMigration extends Migration {
  readonly id: number
  readonly name: string
}

const folder = new URL("../../migrations/", import.meta.url)

/**
 * Every file of the migrations folder, in order, so that none can be forgotten. The single-binary
 * build replaces this module by one that has the same files built in.
 */
export const load = async (): Promise<ReadonlyArray<NumberedMigration>> => {
  const names = readdirSync(folder).filter((name) => /^\d{4}_\w+\.ts$/.test(name))
  const migrations = await Promise.all(
    names.sort().map(async (name) => {
      const module: { default: Migration } = await import(new URL(name, folder).href)
      return { id: Number(name.slice(0, 4)), name: name.slice(5, -3), ...module.default }
    })
  )
  return migrations
}
