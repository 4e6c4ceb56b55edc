import { HttpServer } from "@effect/platform"
import { Effect, Layer } from "effect"
import { Actions } from "./capability/Actions.ts"
import { ActionToolMaps } from "./capability/ActionToolMaps.ts"
import { McpServerSurfaces } from "./capability/McpServerSurfaces.ts"
import { McpServers } from "./capability/McpServers.ts"
import { SuiteSurfaces } from "./capability/SuiteSurfaces.ts"
import { Suites } from "./capability/Suites.ts"
import { Tools } from "./capability/Tools.ts"
import { welcome } from "./cli/Welcome.ts"
import { ExampleExport } from "./example/ExampleExport.ts"
import { Examples } from "./example/Examples.ts"
import { Models } from "./example/Models.ts"
import * as Http from "./http/Http.ts"
import { ApiKeys } from "./identity/ApiKeys.ts"
import { Authenticator } from "./identity/Authenticator.ts"
import { Bootstrap } from "./identity/Bootstrap.ts"
import { Users } from "./identity/Users.ts"
import * as Jobs from "./jobs/Jobs.ts"
import * as Cluster from "./platform/Cluster.ts"
import * as Logging from "./platform/Logging.ts"
import * as Platform from "./platform/Platform.ts"
import { DirectUploads } from "./session/DirectUploads.ts"
import { ResumableUploads } from "./session/ResumableUploads.ts"
import { Sessions } from "./session/Sessions.ts"
import { UploadSessions } from "./session/UploadSessions.ts"
import { Uploads } from "./session/Uploads.ts"
import { Metrics } from "./telemetry/Metrics.ts"

const services = Layer.mergeAll(
  Authenticator.Default,
  ApiKeys.Default,
  Users.Default,
  Suites.Default,
  SuiteSurfaces.Default,
  Actions.Default,
  McpServers.Default,
  McpServerSurfaces.Default,
  Tools.Default,
  ActionToolMaps.Default,
  Models.Default,
  Examples.Default,
  ExampleExport.Default,
  Jobs.layer,
  Sessions.Default,
  Uploads.Default,
  UploadSessions.Default,
  ResumableUploads.Default,
  DirectUploads.Default,
  Bootstrap.Default,
  Metrics.Default
)

/** Once it listens: tells the operator where. */
const listening = (first_key: string | undefined) =>
  Layer.effectDiscard(HttpServer.addressWith((address) => welcome(address, first_key))).pipe(
    Layer.provideMerge(Http.layer)
  )

/** The whole service as one layer over its settings: `main` launches it, tests run it in their scope. */
export const layer = Bootstrap.pipe(
  Effect.flatMap((bootstrap) => bootstrap.run()),
  Effect.map(listening),
  Layer.unwrapEffect,
  Layer.provideMerge(services),
  Layer.provideMerge(Cluster.layer),
  Layer.provideMerge(Platform.layer),
  Layer.provide(Logging.layer)
)
