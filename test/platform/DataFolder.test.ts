import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { lockDataFolder } from "../../src/platform/DataFolder.ts"

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "tracepipe-test-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** A process that takes the lock, says so, and holds it. */
const otherHolder = (folder: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const module = join(import.meta.dirname, "../../src/platform/DataFolder.ts")
      const script = `
        import { Effect } from ${JSON.stringify(Bun.resolveSync("effect", import.meta.dirname))}
        import { lockDataFolder } from ${JSON.stringify(module)}
        await Effect.runPromise(Effect.scoped(Effect.gen(function* () {
          yield* lockDataFolder(${JSON.stringify(folder)})
          console.log("LOCKED")
          yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 600_000)))
        })))`
      const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" })
      const reader = child.stdout.getReader()
      await reader.read()
      return child
    }),
    (child) =>
      Effect.promise(() => {
        child.kill("SIGKILL")
        return child.exited
      })
  )

it.scoped("makes a missing folder for this user alone", () =>
  Effect.gen(function* () {
    const folder = join(yield* temporaryFolder, "deep/data")
    yield* lockDataFolder(folder)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
  })
)

it.scoped("a second holder is told the folder, the process and what to do", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const holder = yield* otherHolder(folder)
    const refused = yield* Effect.flip(lockDataFolder(folder))
    expect(refused._tag).toBe("DataFolderInUse")
    expect(refused.message).toContain(folder)
    expect(refused.message).toContain(`process ${holder.pid}`)
    expect(refused.message).toContain("DATA_DIR")
  })
)

it.scoped("the same process cannot take it twice either", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    yield* lockDataFolder(folder)
    const refused = yield* Effect.flip(lockDataFolder(folder))
    expect(refused.message).toContain(`process ${process.pid}`)
  })
)

it.scoped("kill -9 frees the folder", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const holder = yield* otherHolder(folder)
    holder.kill("SIGKILL")
    yield* Effect.promise(() => holder.exited)
    yield* lockDataFolder(folder)
    expect(readFileSync(join(folder, "pid"), "utf8").trim()).toBe(String(process.pid))
  })
)

it.scoped("a closed scope frees the folder", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    yield* Effect.scoped(lockDataFolder(folder))
    expect(existsSync(join(folder, "pid"))).toBe(false)
    yield* lockDataFolder(folder)
  })
)

it.scoped("a folder that cannot be made or written is its own failure", () =>
  Effect.gen(function* () {
    const parent = yield* temporaryFolder
    writeFileSync(join(parent, "file"), "")
    const refused = yield* Effect.flip(lockDataFolder(join(parent, "file/data")))
    expect(refused._tag).toBe("DataFolderUnwritable")
    expect(refused.message).toContain("DATA_DIR")

    if (process.getuid?.() === 0) return
    chmodSync(parent, 0o500)
    expect((yield* Effect.flip(lockDataFolder(parent)))._tag).toBe("DataFolderUnwritable")
  })
)
