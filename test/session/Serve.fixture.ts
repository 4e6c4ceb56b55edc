import { BunRuntime } from "@effect/platform-bun"
import { Duration, Layer } from "effect"
import { Settings } from "../../src/platform/Settings.ts"
import * as Service from "../../src/Service.ts"
import { UploadTimes } from "../../src/session/UploadTimes.ts"

// What `main.ts serve` does, but that the remains of uploads are collected after moments, not minutes.
const short = Layer.succeed(UploadTimes, {
  quiet: Duration.millis(100),
  renew: Duration.millis(200),
  lease: Duration.seconds(3),
  margin: Duration.seconds(1)
})

Layer.launch(Service.layer.pipe(Layer.provide(short), Layer.provide(Settings.layer(process.env)))).pipe(
  BunRuntime.runMain({ disablePrettyLogger: true })
)
