import { HttpApi, OpenApi } from "@effect/platform"
import {
  BadRequest,
  InternalError,
  MethodNotAllowed,
  PayloadTooLarge,
  Unavailable,
  ValidationError
} from "../domain/Errors.ts"
import { ApiKeysApi } from "./ApiKeysApi.ts"
import { toDocument } from "./Document.ts"
import { SessionsApi } from "./SessionsApi.ts"
import { SuitesApi } from "./SuitesApi.ts"
import { SystemApi } from "./SystemApi.ts"
import { UsersApi } from "./UsersApi.ts"
import { version } from "./Version.ts"

class Contract extends HttpApi.make("tracepipe")
  .add(SystemApi)
  .add(UsersApi)
  .add(ApiKeysApi)
  .add(SuitesApi)
  .add(SessionsApi)
  .addError(BadRequest)
  .addError(ValidationError)
  .addError(MethodNotAllowed)
  .addError(PayloadTooLarge)
  .addError(InternalError)
  .addError(Unavailable)
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
