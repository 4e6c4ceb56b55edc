import type { HttpServer } from "@effect/platform"
import { Effect } from "effect"

const url = (address: HttpServer.Address): string =>
  address._tag === "TcpAddress" ? `http://${address.hostname}:${address.port}` : address.path

/** What a first start prints: the key, once, and the next things to try. */
const firstSteps = (base: string, key: string) => `
  Your first API key. It is shown this once and kept nowhere:

    ${key}

  Three things to try next:

    export TRACEPIPE_API_KEY=${key}
    curl -s ${base}/v1/suites -H "X-API-Key: $TRACEPIPE_API_KEY" -H 'content-type: application/json' -d '{"name":"My app"}'
    curl -s ${base}/v1/sessions -H "X-API-Key: $TRACEPIPE_API_KEY" -F suite_id=<id> -F file=@recording.json
    open ${base}/docs
`

/** Tells on the terminal where the service listens, and on a first start what to do next. */
export const welcome = (address: HttpServer.Address, key: string | undefined) =>
  Effect.gen(function* () {
    const base = url(address)
    yield* Effect.logInfo(`listening on ${base}`)
    // Not a log line: a key in a log would be kept.
    if (key !== undefined) yield* Effect.sync(() => process.stdout.write(firstSteps(base, key)))
  })
