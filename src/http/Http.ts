import { HttpApiBuilder, HttpApiSwagger, HttpMiddleware } from "@effect/platform"
import { Layer } from "effect"
import { Api } from "../api/Api.ts"
import * as ActionsHttp from "./ActionsHttp.ts"
import * as ActionToolMapsHttp from "./ActionToolMapsHttp.ts"
import * as AgentsHttp from "./AgentsHttp.ts"
import * as ApiKeysHttp from "./ApiKeysHttp.ts"
import * as AuditHttp from "./AuditHttp.ts"
import * as Authentication from "./Authentication.ts"
import * as AuthHttp from "./AuthHttp.ts"
import * as DirectUploadsHttp from "./DirectUploadsHttp.ts"
import * as DiscoveryHttp from "./DiscoveryHttp.ts"
import * as ExamplesHttp from "./ExamplesHttp.ts"
import * as InvitationsHttp from "./InvitationsHttp.ts"
import * as JobsHttp from "./JobsHttp.ts"
import { drainOnShutdown, Lifecycle } from "./Lifecycle.ts"
import { server } from "./Listening.ts"
import * as LogsHttp from "./LogsHttp.ts"
import * as McpServersHttp from "./McpServersHttp.ts"
import * as MetricsHttp from "./MetricsHttp.ts"
import * as MetricsPort from "./MetricsPort.ts"
import * as ModelsHttp from "./ModelsHttp.ts"
import * as OrganizationsHttp from "./OrganizationsHttp.ts"
import * as PersonalDataHttp from "./PersonalDataHttp.ts"
import * as QuotasHttp from "./QuotasHttp.ts"
import * as Rim from "./Rim.ts"
import * as SessionsHttp from "./SessionsHttp.ts"
import * as SuitesHttp from "./SuitesHttp.ts"
import * as SystemHttp from "./SystemHttp.ts"
import * as ToolsHttp from "./ToolsHttp.ts"
import * as UploadsHttp from "./UploadsHttp.ts"
import * as UsersHttp from "./UsersHttp.ts"

const groups = Layer.mergeAll(
  SystemHttp.layer,
  UsersHttp.layer,
  AuthHttp.layer,
  InvitationsHttp.layer,
  OrganizationsHttp.layer,
  AgentsHttp.layer,
  ApiKeysHttp.layer,
  SuitesHttp.layer,
  ActionsHttp.layer,
  McpServersHttp.layer,
  ToolsHttp.layer,
  ActionToolMapsHttp.layer,
  ModelsHttp.layer,
  ExamplesHttp.layer,
  JobsHttp.layer,
  SessionsHttp.layer,
  DirectUploadsHttp.layer,
  UploadsHttp.layer,
  AuditHttp.layer,
  PersonalDataHttp.layer,
  QuotasHttp.layer,
  DiscoveryHttp.layer,
  MetricsHttp.layer,
  LogsHttp.layer
)

const api = HttpApiBuilder.api(Api).pipe(Layer.provide(groups), Layer.provide(Authentication.layer))

/** The whole HTTP server; it listens while its scope is open, and drains before that closes. */
export const layer = drainOnShutdown.pipe(
  Layer.provideMerge(
    HttpApiBuilder.serve().pipe(
      Layer.provide(HttpApiSwagger.layer({ path: "/docs" })),
      Layer.provide(Rim.layer),
      Layer.provide(api),
      HttpMiddleware.withTracerDisabledWhen(() => true)
    )
  ),
  Layer.provide(MetricsPort.layer),
  Layer.provideMerge(server),
  Layer.provide(Lifecycle.Default)
)
