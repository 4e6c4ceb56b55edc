import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { childService } from "../support/ChildService.ts"
import { NO_REDIS, redisUrl } from "../support/RedisServer.ts"
import type { Target } from "../support/Uploading.ts"

const BURST = 120
// One more a minute: the test is over before, or just after.
const environment = {
  RATE_LIMIT_REQUESTS_PER_MINUTE: "1",
  RATE_LIMIT_BURST_SIZE: String(BURST),
  RATE_LIMIT_USER_PER_MINUTE: "off",
  RATE_LIMIT_ORGANIZATION_PER_MINUTE: "off",
  RATE_LIMIT_IP_PER_MINUTE: "off"
}

const asked = ({ base_url, api_key }: Target) =>
  Effect.promise(async () => {
    const response = await fetch(`${base_url}/v1/suites`, { headers: { "x-api-key": api_key } })
    await response.arrayBuffer()
    return response.status
  })

/** As many questions to the database at once as there will be, so that its connections are open. */
const warmedUp = ({ base_url }: Target) =>
  Effect.all(
    Array.from({ length: 32 }, () => Effect.promise(async () => (await fetch(`${base_url}/health`)).arrayBuffer())),
    { concurrency: 32, discard: true }
  )

/** How many requests a service counted by itself, as the shared store did not answer in time. */
const countedAlone = ({ base_url }: Target) =>
  Effect.promise(async () => {
    const text = await (await fetch(`${base_url}/metrics`)).text()
    return /^tracepipe_rate_limits_local_total (\d+)$/m.exec(text)?.[1]
  })

/** Two services over one database; how many of the requests of 32 clients each of them let in. */
const admitted = (more: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const one = yield* childService({ environment: { ...environment, ...more } })
    const other = yield* childService({ environment: { ...environment, ...more }, beside: one })
    const nodes = [one, other]
    yield* Effect.forEach(nodes, warmedUp)
    const statuses = yield* Effect.all(
      Array.from({ length: 4 * BURST }, (_, index) => asked(nodes[index % 2]!)),
      { concurrency: 32 }
    )
    expect(yield* Effect.forEach(nodes, countedAlone)).toEqual(["0", "0"])
    expect(new Set(statuses)).toEqual(new Set([200, 429]))
    return nodes.map((_, node) => statuses.filter((status, index) => index % 2 === node && status === 200).length)
  })

const together = (counts: ReadonlyArray<number>) => {
  expect(Math.min(...counts)).toBeGreaterThan(0)
  const sum = counts.reduce((total, count) => total + count, 0)
  expect(Math.abs(sum / BURST - 1)).toBeLessThan(0.01)
}

it.scopedLive("two services admit a key's ceiling together, through PostgreSQL", () =>
  Effect.map(admitted({}), together)
)

const withRedis = NO_REDIS === undefined ? it.scopedLive : it.scopedLive.skip
withRedis(
  `two services admit a key's ceiling together, through Redis${NO_REDIS === undefined ? "" : ` (skipped: ${NO_REDIS})`}`,
  () =>
    Effect.gen(function* () {
      together(yield* admitted({ REDIS_URL: yield* redisUrl }))
    })
)
