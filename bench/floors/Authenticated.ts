// Both sides of `auth` in one process: two equal endpoints, one of them behind the real authentication.
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, HttpMiddleware } from "@effect/platform"
import { BunHttpServer, BunRuntime } from "@effect/platform-bun"
import { Effect, Layer, Schema } from "effect"
import { Authentication } from "../../src/api/Security.ts"
import * as AuthenticationLayer from "../../src/http/Authentication.ts"
import { Admission } from "../../src/identity/Admission.ts"
import { Bootstrap } from "../../src/identity/Bootstrap.ts"
import * as Logging from "../../src/platform/Logging.ts"
import * as Platform from "../../src/platform/Platform.ts"
import { Settings } from "../../src/platform/Settings.ts"

const Answer = Schema.Struct({ status: Schema.Literal("ok") })

class Routes extends HttpApiGroup.make("routes")
  .add(HttpApiEndpoint.get("open", "/open").addSuccess(Answer))
  .add(HttpApiEndpoint.get("authenticated", "/authenticated").addSuccess(Answer).middleware(Authentication)) {}

class Api extends HttpApi.make("bench").add(Routes) {}

const ok = Effect.succeed({ status: "ok" } as const)

const routes = HttpApiBuilder.group(Api, "routes", (handlers) =>
  handlers.handle("open", () => ok).handle("authenticated", () => ok)
)

const server = HttpApiBuilder.serve().pipe(
  Layer.provide(HttpApiBuilder.api(Api)),
  Layer.provide(routes),
  Layer.provide(AuthenticationLayer.layer),
  // As in the service.
  HttpMiddleware.withTracerDisabledWhen(() => true),
  Layer.provide(BunHttpServer.layer({ hostname: "127.0.0.1", port: Number(process.env.PORT) }))
)

const service = Layer.unwrapEffect(
  Effect.as(
    Effect.flatMap(Bootstrap, ({ run }) => run()),
    server
  )
).pipe(
  Layer.provide(Layer.merge(Bootstrap.Default, Admission.Default)),
  Layer.provide(Platform.layer),
  Layer.provide(Logging.layer),
  Layer.provide(Settings.layer(process.env))
)

BunRuntime.runMain(Layer.launch(service))
