#!/usr/bin/env bun
import { BunContext, BunRuntime } from "@effect/platform-bun"
import { Effect, Layer, RuntimeFlags, RuntimeFlagsPatch } from "effect"
import { version } from "./api/Version.ts"
import { run } from "./cli/Cli.ts"
import { Settings } from "./platform/Settings.ts"
import * as Service from "./Service.ts"

// Effect's own figures about fibers are read by nobody, and cost a tenth of a small request.
const withoutFiberMetrics = Effect.withRuntimeFlagsPatch(RuntimeFlagsPatch.disable(RuntimeFlags.RuntimeMetrics))

const serve = Effect.flatMap(Settings, ({ jobs: { role } }) =>
  role === "worker" ? Layer.launch(Service.worker) : Layer.launch(Service.layer)
)

const environment = (more: Readonly<Record<string, string>> = {}) => Settings.layer({ ...process.env, ...more })

run({ serve, environment, version }).pipe(
  Effect.provide(BunContext.layer),
  withoutFiberMetrics,
  BunRuntime.runMain({ disableErrorReporting: true, disablePrettyLogger: true })
)
