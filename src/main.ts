#!/usr/bin/env bun
import { BunContext, BunRuntime } from "@effect/platform-bun"
import { Effect, Layer } from "effect"
import { version } from "./api/Version.ts"
import { run } from "./cli/Cli.ts"
import { Settings } from "./platform/Settings.ts"
import * as Service from "./Service.ts"

const serve = Effect.flatMap(Settings, ({ jobs: { role } }) =>
  role === "worker" ? Layer.launch(Service.worker) : Layer.launch(Service.layer)
)

const environment = (more: Readonly<Record<string, string>> = {}) => Settings.layer({ ...process.env, ...more })

run({ serve, environment, version }).pipe(
  Effect.provide(BunContext.layer),
  BunRuntime.runMain({ disableErrorReporting: true, disablePrettyLogger: true })
)
