import { HttpApiBuilder, HttpServerResponse } from "@effect/platform"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { PersonalData } from "../identity/PersonalData.ts"

export const layer = HttpApiBuilder.group(Api, "personal_data", (handlers) =>
  Effect.map(PersonalData, (data) =>
    handlers
      .handleRaw("export", ({ path }) =>
        Effect.map(data.export(path.id), (bytes) =>
          HttpServerResponse.stream(bytes, { contentType: "application/json" })
        )
      )
      .handle("erase", ({ path }) => data.erase(path.id))
  )
)
