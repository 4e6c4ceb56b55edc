import { A2A_CONTENT_TYPE, HTTP_EXTENSION_HEADER } from "@a2a-js/sdk"
import {
  isLegacyJsonRpcMethod,
  isV1JsonRpcMethod,
  LEGACY_HTTP_EXTENSION_HEADER,
  LEGACY_METHOD_GET_AUTHENTICATED_EXTENDED_CARD
} from "@a2a-js/sdk/compat/v0_3"
import { LegacyJsonRpcTransportHandler } from "@a2a-js/sdk/compat/v0_3/server"
import { A2A_ERROR_CODE, ContentTypeNotSupportedError, toJsonRpcError } from "@a2a-js/sdk/errors"
import { JsonRpcTransportHandler } from "@a2a-js/sdk/server"
import { Effect } from "effect"
import type { Admitted } from "../platform/Protocols.ts"
import * as Body from "./Body.ts"
import { type Answering, Call, loggedLate } from "./Call.ts"
import { isObject, type JsonObject, parsed } from "./Json.ts"
import { assertParams } from "./Shapes.ts"
import { type Events, eventStream } from "./Streams.ts"
import { requestedVersion, type Version } from "./Versions.ts"

type Id = string | number | null

interface Envelope {
  readonly jsonrpc: string
  readonly id: Id
  readonly result?: unknown
  readonly error?: unknown
}

/** A request that has the form of one. */
interface Request20 extends JsonObject {
  readonly id: Id
  readonly method: string
}

const isId = (value: unknown): value is Id =>
  value === null || typeof value === "string" || (typeof value === "number" && Number.isInteger(value))

const isRequest = (value: unknown): value is Request20 =>
  isObject(value) &&
  value["jsonrpc"] === "2.0" &&
  typeof value["method"] === "string" &&
  value["method"] !== "" &&
  (value["id"] === undefined || isId(value["id"]))

const failure = (id: Id, error: unknown): Envelope => ({ jsonrpc: "2.0", id, error })

const idOf = (value: unknown): Id => (isObject(value) && isId(value["id"]) ? value["id"] : null)

const isStream = (answer: Envelope | Events<Envelope>): answer is Events<Envelope> => Symbol.asyncIterator in answer

const extensions = ({ context }: Call, version: Version): Record<string, string> =>
  context.activatedExtensions === undefined
    ? {}
    : {
        [version === "0.3" ? LEGACY_HTTP_EXTENSION_HEADER : HTTP_EXTENSION_HEADER]:
          context.activatedExtensions.join(",")
      }

/** The version that the request speaks: as it says, else by its method's name, as the two share none. */
const versionOf = (request: Request, method: string): Version =>
  requestedVersion(request) ?? (isV1JsonRpcMethod(method) ? "1.0" : "0.3")

const methods: Readonly<Record<Version, (method: string) => boolean>> = {
  "1.0": isV1JsonRpcMethod,
  "0.3": isLegacyJsonRpcMethod
}

const parameterless: ReadonlyArray<string> = ["GetExtendedAgentCard", LEGACY_METHOD_GET_AUTHENTICATED_EXTENDED_CARD]

/** What is wrong with a request before anybody is called. */
const refusalOf = (value: Request20, version: Version) => {
  if (!methods[version](value.method)) {
    const other = version === "1.0" ? "0.3" : "1.0"
    const hint = methods[other](value.method) ? `; it is one of version ${other}: see the A2A-Version header` : ""
    return {
      code: A2A_ERROR_CODE.METHOD_NOT_FOUND,
      message: `Method not found: ${value.method.slice(0, 100)} is no method of A2A ${version}${hint}`
    }
  }
  return isObject(value["params"]) || parameterless.includes(value.method)
    ? undefined
    : { code: A2A_ERROR_CODE.INVALID_PARAMS, message: "Invalid parameters: params is no object" }
}

/** What the library could not read of the parameters: it says so in the words of the engine. */
const unreadable = {
  code: A2A_ERROR_CODE.INVALID_PARAMS,
  message: "Invalid parameters: they have not the form that A2A gives them"
}

const isInternal = (error: unknown) => isObject(error) && error["code"] === A2A_ERROR_CODE.INTERNAL_ERROR

/** The failure as A2A tells it; one that the service tells by any protocol in the same way fails the effect. */
const logged = (call: Call) =>
  Effect.gen(function* () {
    const { fault } = call
    if (fault?.kind === "problem") return yield* Effect.fail(fault.error)
    if (fault?.kind === "internal") yield* Effect.logError("a call by A2P failed", fault.error)
  })

const answered = (call: Call, version: Version, value: Request20) =>
  Effect.gen(function* () {
    const { id = null, method, params } = value
    const legacy = version === "0.3"
    const failed = (error: unknown) =>
      failure(id, legacy ? LegacyJsonRpcTransportHandler.mapToLegacyJSONRPCError(error) : toJsonRpcError(error))
    const wrong = thrownBy(() => assertParams(method, params))
    if (wrong !== undefined) return Response.json(failed(wrong))
    const transport = legacy ? new LegacyJsonRpcTransportHandler(call) : new JsonRpcTransportHandler(call)
    const answer: Envelope | Events<Envelope> = yield* Effect.promise(() => transport.handle(value, call.context))
    yield* logged(call)
    if (!isStream(answer) && !call.reached && isInternal(answer.error)) return Response.json(failure(id, unreadable))
    if (!isStream(answer)) return Response.json(answer, { headers: extensions(call, version) })
    const late = yield* loggedLate(call)
    const first = yield* Effect.promise(() =>
      answer.next().then(
        (result) => ({ result }),
        (error: unknown) => ({ error })
      )
    )
    yield* logged(call)
    if ("error" in first) return Response.json(failed(first.error))
    return eventStream(answer, {
      first: first.result,
      shown: (event) => event,
      failed: (error) => {
        late()
        return failed(error)
      },
      left: call.hangUp,
      headers: extensions(call, version)
    })
  })

const jsonTypes: ReadonlyArray<string | undefined> = ["application/json", A2A_CONTENT_TYPE, undefined]

const thrownBy = (check: () => void): unknown => {
  try {
    check()
    return undefined
  } catch (error) {
    return error
  }
}

const spoken = (request: Request, method: string): { readonly version: Version } | { readonly error: unknown } => {
  try {
    return { version: versionOf(request, method) }
  } catch (error) {
    return { error }
  }
}

/** `POST /a2p`: one JSON-RPC 2.0 request, of version 1.0 or 0.3. */
export const handle = (answering: Answering, admitted: Admitted, limit: number) =>
  Effect.gen(function* () {
    const { request } = admitted
    const type = Body.mediaType(request)
    if (!jsonTypes.includes(type)) {
      const error = new ContentTypeNotSupportedError(`${type} is not read here; send application/json`)
      return Response.json(failure(null, toJsonRpcError(error)))
    }
    const json = parsed(yield* Body.text(request, limit))
    if (json === undefined)
      return Response.json(failure(null, { code: A2A_ERROR_CODE.PARSE_ERROR, message: "Invalid JSON payload" }))
    if (!isRequest(json.value))
      return Response.json(
        failure(idOf(json.value), {
          code: A2A_ERROR_CODE.INVALID_REQUEST,
          message: "Request payload validation error: one JSON-RPC 2.0 request is expected"
        })
      )
    const { id = null, method } = json.value
    const speech = spoken(request, method)
    if ("error" in speech) return Response.json(failure(id, toJsonRpcError(speech.error)))
    const refusal = refusalOf(json.value, speech.version)
    if (refusal !== undefined) return Response.json(failure(id, refusal))
    return yield* answered(new Call(answering, admitted, speech.version), speech.version, json.value)
  })
