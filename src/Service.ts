import { HttpServer } from "@effect/platform"
import { Effect, Layer } from "effect"
import * as A2p from "./a2p/A2p.ts"
import { PushDelivery } from "./a2p/PushDelivery.ts"
import { RequestHandler } from "./a2p/RequestHandler.ts"
import { Actions } from "./capability/Actions.ts"
import { ActionToolMaps } from "./capability/ActionToolMaps.ts"
import { Discovery } from "./capability/Discovery.ts"
import { McpServerSurfaces } from "./capability/McpServerSurfaces.ts"
import { McpServers } from "./capability/McpServers.ts"
import { SuiteSurfaces } from "./capability/SuiteSurfaces.ts"
import { Suites } from "./capability/Suites.ts"
import { Tools } from "./capability/Tools.ts"
import { welcome } from "./cli/Welcome.ts"
import { Batches } from "./example/Batches.ts"
import { ExampleExport } from "./example/ExampleExport.ts"
import { ExampleSearch } from "./example/ExampleSearch.ts"
import { Examples } from "./example/Examples.ts"
import { Models } from "./example/Models.ts"
import * as OnUpload from "./example/OnUpload.ts"
import * as Http from "./http/Http.ts"
import * as Probes from "./http/Probes.ts"
import { Admission } from "./identity/Admission.ts"
import { Agents } from "./identity/Agents.ts"
import { ApiKeys } from "./identity/ApiKeys.ts"
import * as Audit from "./identity/Audit.ts"
import { AuditLog } from "./identity/AuditLog.ts"
import { AuditSealer } from "./identity/AuditSealer.ts"
import { Authenticator } from "./identity/Authenticator.ts"
import { Bootstrap } from "./identity/Bootstrap.ts"
import { DataKeys } from "./identity/DataKeys.ts"
import { ForeignTokens } from "./identity/ForeignTokens.ts"
import { Invitations } from "./identity/Invitations.ts"
import { Organizations } from "./identity/Organizations.ts"
import { PersonalData } from "./identity/PersonalData.ts"
import { Quotas } from "./identity/Quotas.ts"
import { Refusals } from "./identity/Refusals.ts"
import { SigningKeys } from "./identity/SigningKeys.ts"
import { Tokens } from "./identity/Tokens.ts"
import { Users } from "./identity/Users.ts"
import * as Jobs from "./jobs/Jobs.ts"
import { mcp } from "./mcp/Mcp.ts"
import { PlatformSurface } from "./mcp/platform/PlatformSurface.ts"
import * as Cluster from "./platform/Cluster.ts"
import * as Logging from "./platform/Logging.ts"
import * as Platform from "./platform/Platform.ts"
import { Protocols } from "./platform/Protocols.ts"
import { Settings } from "./platform/Settings.ts"
import { DirectUploads } from "./session/DirectUploads.ts"
import { ResumableUploads } from "./session/ResumableUploads.ts"
import { Sessions } from "./session/Sessions.ts"
import { UploadSessions } from "./session/UploadSessions.ts"
import { Uploads } from "./session/Uploads.ts"
import { Logs } from "./telemetry/Logs.ts"
import { Metrics } from "./telemetry/Metrics.ts"
import { QueueMetrics } from "./telemetry/QueueMetrics.ts"
import { Usage } from "./telemetry/Usage.ts"

/** Jobs, and what is pushed of the tasks that they are for. */
const work = Layer.merge(
  Jobs.layer,
  Layer.scopedDiscard(Effect.flatMap(PushDelivery, ({ run }) => Effect.forkScoped(run))).pipe(
    Layer.provide(PushDelivery.Default)
  )
)

/** Who only answers requests runs none of what they start. */
const jobs = Layer.unwrapEffect(Effect.map(Settings, ({ jobs: { role } }) => (role === "api" ? Layer.empty : work)))

const services = Layer.mergeAll(
  Admission.Default,
  Quotas.Default,
  Authenticator.Default,
  ForeignTokens.Default,
  SigningKeys.Default,
  Tokens.Default,
  ApiKeys.Default,
  Users.Default,
  Invitations.Default,
  Organizations.Default,
  Agents.Default,
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
  Batches.Default,
  RequestHandler.Default,
  jobs,
  Sessions.Default,
  Uploads.Default,
  UploadSessions.Default,
  ResumableUploads.Default,
  DirectUploads.Default,
  Bootstrap.Default,
  QueueMetrics.Default,
  Metrics.Default,
  AuditLog.Default,
  AuditSealer.Default,
  DataKeys.Default,
  PersonalData.Default,
  Refusals.Default,
  Discovery.Default,
  ExampleSearch.Default,
  Usage.Default,
  Logs.Default,
  PlatformSurface.Default
)

/** What the service speaks beside its API. */
const protocols = Layer.scoped(
  Protocols,
  Effect.gen(function* () {
    return [yield* mcp(yield* PlatformSurface), yield* A2p.protocol]
  })
)

/** Once it listens: tells the operator where, and begins what it does beside answering. */
const listening = (first_key: string | undefined) =>
  Layer.scopedDiscard(
    Effect.gen(function* () {
      yield* HttpServer.addressWith((address) => welcome(address, first_key))
      yield* filesAreOwn
      yield* background
    })
  ).pipe(Layer.provideMerge(Http.layer), Layer.provide(protocols))

/** What every process does beside its role. */
const background = Effect.gen(function* () {
  const queue = yield* QueueMetrics
  yield* Effect.forkScoped(queue.run)
  const sealer = yield* AuditSealer
  yield* Effect.forkScoped(sealer.run)
})

/** Objects as files are one machine's, and written by one process at best. */
const filesAreOwn = Effect.flatMap(Settings, ({ objects, data, jobs: { role } }) =>
  role === "all" || objects.s3_bucket !== undefined
    ? Effect.void
    : Effect.logWarning(
        `ROLE=${role} without S3_BUCKET: objects are files in ${data.data_dir}, which all processes have to see; set S3_BUCKET`
      )
)

/** The service as one layer over its settings: `main` launches it, tests run it in their scope. */
export const layer = Bootstrap.pipe(
  Effect.flatMap((bootstrap) => bootstrap.run()),
  Effect.zipLeft(Effect.flatMap(DataKeys, ({ warm }) => warm)),
  Effect.map(listening),
  Layer.unwrapEffect,
  Layer.provideMerge(Layer.provide(services, Layer.merge(OnUpload.layer, Audit.trail))),
  Layer.provideMerge(Cluster.layer),
  Layer.provideMerge(Platform.layer),
  Layer.provide(Logging.layer)
)

/** A worker as one layer over its settings: it runs jobs, and answers probes alone. */
export const worker = Layer.scopedDiscard(
  Effect.gen(function* () {
    yield* HttpServer.addressWith((address) => welcome(address, undefined))
    yield* filesAreOwn
    yield* background
  })
).pipe(
  Layer.provide(Probes.layer),
  Layer.provide(
    Layer.mergeAll(
      Layer.provide(work, Layer.merge(OnUpload.layer, Audit.trail)),
      QueueMetrics.Default,
      Metrics.Default,
      AuditSealer.Default
    )
  ),
  Layer.provide(Cluster.layer),
  Layer.provide(Platform.layer),
  Layer.provide(Logging.layer)
)
