#!/usr/bin/env bun
import { BunContext, BunRuntime } from "@effect/platform-bun"
import { Effect, Layer } from "effect"
import { version } from "./api/Version.ts"
import { run } from "./cli/Cli.ts"
import { Settings } from "./platform/Settings.ts"
import * as Service from "./Service.ts"

run({ serve: Layer.launch(Service.layer), environment: Settings.layer(process.env), version }).pipe(
  Effect.provide(BunContext.layer),
  BunRuntime.runMain({ disableErrorReporting: true, disablePrettyLogger: true })
)
