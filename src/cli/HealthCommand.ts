import { Command, Options } from "@effect/cli"
import { FetchHttpClient } from "@effect/platform"
import { Config, Console, Effect, Option } from "effect"
import * as Client from "../client.ts"
import { baseUrl, ServiceUnreachable } from "./Remote.ts"

const url = Options.text("url").pipe(
  Options.withFallbackConfig(Config.nonEmptyString("TRACEPIPE_URL")),
  Options.optional,
  Options.withDescription("where the service is; TRACEPIPE_URL otherwise, or 127.0.0.1 at PORT")
)

/** `tracepipe health`: asks `/ready`; what a container's health check runs. */
export const healthCommand = Command.make("health", { url }, ({ url }) =>
  Effect.gen(function* () {
    const port = yield* Config.withDefault(Config.nonEmptyString("PORT"), "8000")
    const base_url = yield* baseUrl(Option.getOrElse(url, () => `http://127.0.0.1:${port}`))
    const { system } = yield* Client.make({ base_url })
    yield* Effect.timeoutFail(system.ready(), {
      duration: "5 seconds",
      onTimeout: () => new ServiceUnreachable({ url: base_url, reason: "no answer within 5 s" })
    })
    yield* Console.log("ready")
  }).pipe(Effect.provide(FetchHttpClient.layer))
).pipe(Command.withDescription("ask whether the service is ready; ends with 1 when it is not"))
