import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { testDatabase } from "../support/TestDatabase.ts"
import { run } from "./Tracepipe.ts"

const lines = (text: string) => text.trimEnd().split("\n")

it.scoped("migrate shows, undoes, says what it would do, and applies", () =>
  Effect.gen(function* () {
    const { app, owner } = yield* testDatabase
    const migrate = (...args: ReadonlyArray<string>) =>
      Effect.map(
        run(["migrate", ...args], { DATABASE_URL: app, DATABASE_MIGRATION_URL: owner }),
        ({ code, stdout, stderr }) => {
          expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
          return lines(stdout)
        }
      )
    const all = yield* migrate("--status")
    expect(all[0]).toMatch(/^0001_identity {2}\d{4}-/)
    expect(all.every((line) => !line.endsWith("pending"))).toBe(true)
    expect(yield* migrate("--dry-run")).toEqual(["nothing to apply"])

    const undone = yield* migrate("--down", "3")
    expect(undone).toHaveLength(all.length - 3)
    expect(undone.at(-1)).toBe("undid 0004_sessions")
    expect((yield* migrate("--status"))[3]).toBe("0004_sessions  pending")

    const names = undone.map((line) => line.replace("undid ", "")).toReversed()
    expect(yield* migrate("--dry-run")).toEqual(names.map((name) => `would apply ${name}`))
    expect(yield* migrate()).toEqual(names.map((name) => `applied ${name}`))
    expect(yield* migrate()).toEqual(["nothing to do"])
  })
)
