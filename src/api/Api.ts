import { HttpApi, OpenApi } from "@effect/platform"
import {
  BadRequest,
  InternalError,
  MethodNotAllowed,
  PayloadTooLarge,
  RateLimited,
  RequestTimeout,
  Unavailable,
  UnsupportedMediaType,
  ValidationError
} from "../domain/Errors.ts"
import { CreateSession } from "../domain/session/Session.ts"
import { TimelineEvent } from "../domain/session/Timeline.ts"
import { NewLogEntry } from "../domain/telemetry/LogEntry.ts"
import { ActionsApi } from "./ActionsApi.ts"
import { ActionToolMapsApi } from "./ActionToolMapsApi.ts"
import { AgentsApi } from "./AgentsApi.ts"
import { ApiKeysApi } from "./ApiKeysApi.ts"
import { AuditApi } from "./AuditApi.ts"
import { AuthApi } from "./AuthApi.ts"
import { DirectUploadsApi, UploadPartsApi } from "./DirectUploadsApi.ts"
import { DiscoveryApi } from "./DiscoveryApi.ts"
import { toDocument } from "./Document.ts"
import { ExamplesApi } from "./ExamplesApi.ts"
import { InvitationsApi } from "./InvitationsApi.ts"
import { JobsApi } from "./JobsApi.ts"
import { LogsApi } from "./LogsApi.ts"
import { McpServersApi } from "./McpServersApi.ts"
import { MetricsApi } from "./MetricsApi.ts"
import { ModelsApi } from "./ModelsApi.ts"
import { OrganizationsApi } from "./OrganizationsApi.ts"
import { PersonalDataApi } from "./PersonalDataApi.ts"
import { QuotasApi } from "./QuotasApi.ts"
import { SessionsApi } from "./SessionsApi.ts"
import { SuitesApi } from "./SuitesApi.ts"
import { SystemApi } from "./SystemApi.ts"
import { ToolsApi } from "./ToolsApi.ts"
import { UploadsApi } from "./UploadsApi.ts"
import { UsersApi } from "./UsersApi.ts"
import { version } from "./Version.ts"

class Contract extends HttpApi.make("tracepipe")
  .add(SystemApi)
  .add(UsersApi)
  .add(AuthApi)
  .add(InvitationsApi)
  .add(OrganizationsApi)
  .add(AgentsApi)
  .add(ApiKeysApi)
  .add(SuitesApi)
  .add(ActionsApi)
  .add(McpServersApi)
  .add(ToolsApi)
  .add(ActionToolMapsApi)
  .add(ModelsApi)
  .add(ExamplesApi)
  .add(JobsApi)
  .add(SessionsApi)
  // Before the others: their paths are special cases of those.
  .add(DirectUploadsApi)
  .add(UploadPartsApi)
  .add(UploadsApi)
  .add(AuditApi)
  .add(PersonalDataApi)
  .add(QuotasApi)
  .add(DiscoveryApi)
  .add(MetricsApi)
  .add(LogsApi)
  .addError(BadRequest)
  .addError(ValidationError)
  .addError(MethodNotAllowed)
  .addError(RequestTimeout)
  .addError(PayloadTooLarge)
  .addError(UnsupportedMediaType)
  .addError(RateLimited)
  .addError(InternalError)
  .addError(Unavailable)
  // Lines of a stream, and one of the bodies of an operation that has several: no derivation sees them.
  .annotate(HttpApi.AdditionalSchemas, [TimelineEvent, CreateSession, NewLogEntry])
  .annotate(OpenApi.Title, "Tracepipe")
  .annotate(OpenApi.Version, version)
  .annotate(
    OpenApi.Description,
    "Records what people and agents do, and turns it into what agents can do. Failures are RFC 9457 problem documents."
  )
  .annotate(OpenApi.License, { name: "Apache-2.0" }) {}

/** The contract: the router, the OpenAPI document and the client all come from it. */
export class Api extends Contract.annotate(OpenApi.Transform, (spec) =>
  // The annotation's type knows only some object; the derivation hands it the document.
  toDocument(spec as OpenApi.OpenAPISpec, Contract)
) {}

/** The OpenAPI 3.1 document of the contract. */
export const document = OpenApi.fromApi(Api, { additionalPropertiesStrategy: "allow" })
