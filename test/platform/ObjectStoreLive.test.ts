import { expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ObjectStore } from "../../src/platform/ObjectStore.ts"
import * as ObjectStoreLive from "../../src/platform/ObjectStoreLive.ts"
import { Settings } from "../../src/platform/Settings.ts"

/** The path and host that a store with this configuration asks a server for. */
const asked = (environment: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const seen = Promise.withResolvers<string>()
    const server = yield* Effect.acquireRelease(
      Effect.sync(() =>
        Bun.serve({
          hostname: "127.0.0.1",
          port: 0,
          fetch: ({ url }) => {
            seen.resolve(new URL(url).pathname)
            return new Response(null, { status: 404 })
          }
        })
      ),
      (server) => Effect.promise(() => server.stop(true))
    )
    const settings = Settings.layer({
      S3_BUCKET: "recordings",
      S3_ENDPOINT: `http://localhost:${server.port}`,
      S3_ACCESS_KEY_ID: "any",
      S3_SECRET_ACCESS_KEY: "any",
      ...environment
    })
    return yield* Effect.flatMap(ObjectStore, (store) => Effect.flip(store.read("file"))).pipe(
      Effect.zipRight(Effect.promise(() => seen.promise)),
      Effect.provide(ObjectStoreLive.layer.pipe(Layer.provide(settings)))
    )
  })

it.scopedLive("a bucket at an S3_ENDPOINT is named in the path, unless S3_FORCE_PATH_STYLE says otherwise", () =>
  Effect.gen(function* () {
    expect(yield* asked({})).toBe("/recordings/file")
    expect(yield* asked({ S3_FORCE_PATH_STYLE: "true" })).toBe("/recordings/file")
    expect(yield* asked({ S3_FORCE_PATH_STYLE: "false" })).toBe("/file")
  })
)
