import { describe, expect, it } from "@effect/vitest"
import { eventLog } from "../../src/mcp/transport/EventLog.ts"

const message = (id: number, text = "") => ({ jsonrpc: "2.0" as const, id, result: { text } })

type Session = ReturnType<ReturnType<typeof eventLog>["open"]>

const replayed = async (session: Session, after: string) => {
  const seen: Array<unknown> = []
  const stream = await session.replayEventsAfter(after, {
    send: async (_, event) => {
      seen.push("id" in event ? event.id : undefined)
    }
  })
  return { stream, seen }
}

describe("the log of a session's events", () => {
  it("replays what one stream brought after an event, and nothing of another stream or session", async () => {
    const log = eventLog({ total: 1e6, session: 1e6 })
    const one = log.open()
    const other = log.open()
    const first = await one.storeEvent("a", message(1))
    await one.storeEvent("b", message(2))
    await other.storeEvent("a", message(3))
    await one.storeEvent("a", message(4))
    await one.storeEvent("a", message(5))
    expect(await replayed(one, first)).toEqual({ stream: "a", seen: [4, 5] })
    expect(await replayed(other, first)).toEqual({ stream: "a", seen: [] })
    expect(await one.getStreamIdForEventId(first)).toBe("a")
    expect(await one.getStreamIdForEventId("no event")).toBeUndefined()
  })

  it("forgets a session's oldest events beyond its share, and leaves the others theirs", async () => {
    const log = eventLog({ total: 1e6, session: 3000 })
    const loud = log.open()
    const quiet = log.open()
    const kept = await quiet.storeEvent("a", message(0))
    await quiet.storeEvent("a", message(1))
    const ids = []
    for (let id = 0; id < 50; id++) ids.push(await loud.storeEvent("a", message(id, "x".repeat(200))))
    const { seen } = await replayed(loud, ids[0] ?? "")
    expect(seen.at(-1)).toBe(49)
    expect(seen.length).toBeLessThan(6)
    expect((await replayed(quiet, kept)).seen).toEqual([1])
    expect(log.bytes()).toBeLessThan(5000)
  })

  it("forgets the oldest events of all beyond the budget, and everything of a session that ends", async () => {
    const log = eventLog({ total: 10_000, session: 1e6 })
    const sessions = Array.from({ length: 20 }, () => log.open())
    for (const session of sessions)
      for (let id = 0; id < 5; id++) await session.storeEvent("a", message(id, "x".repeat(200)))
    expect(log.bytes()).toBeLessThanOrEqual(10_000)
    expect((await replayed(sessions[0] as Session, "a~0")).seen).toEqual([])
    expect((await replayed(sessions[19] as Session, "a~0")).seen).toEqual([0, 1, 2, 3, 4])
    for (const session of sessions) session.clear()
    expect(log.bytes()).toBe(0)
  })

  it("keeps an event that is larger than any share until the next one comes", async () => {
    const log = eventLog({ total: 1000, session: 1000 })
    const session = log.open()
    await session.storeEvent("a", message(1, "x".repeat(10_000)))
    expect((await replayed(session, "a~0")).seen).toEqual([1])
    await session.storeEvent("a", message(2))
    expect((await replayed(session, "a~0")).seen).toEqual([2])
  })
})
