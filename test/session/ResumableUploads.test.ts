import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { idOf, sendAll, validated } from "../support/Resumable.ts"
import { Stage } from "../support/Stage.ts"
import { call, contentOf, longChat, newSuite } from "../support/Uploading.ts"

const MIB = 1024 ** 2
const LIMIT_MS = 60_000

for (const store of ["file", "s3"] as const) {
  layer(Stage.layer({ store, environment: { LOG_LEVEL: "ERROR" } }), { excludeTestServices: true, timeout: LIMIT_MS })(
    `a resumable upload to ${store === "s3" ? "S3" : "files"}`,
    (it) => {
      it.effect("becomes a session of the same bytes by POST /v1/sessions", () =>
        Effect.gen(function* () {
          const { scene } = yield* Stage
          const suite_id = yield* newSuite(scene)
          const bytes = Buffer.concat([...longChat(40 * MIB)])
          const { url, session_id } = yield* sendAll(scene, bytes, {
            chunkSize: 17 * MIB,
            metadata: { filename: "run.jsonl", suite_id }
          })
          expect(session_id).toBeUndefined()
          const made = yield* call(scene, "POST", "/v1/sessions", { suite_id, upload_ids: [idOf(url)] })
          expect(made.json).toMatchObject({ status: "VALIDATING", record_source: "resumable", format: null })
          expect(made.status).toBe(201)
          const session = yield* validated(scene, made.json["id"])
          expect(session).toMatchObject({ status: "READY", format: "openai.chat", file_count: 1, errors: [] })
          const content = yield* contentOf(scene, session["id"])
          expect(Buffer.from(content["run.jsonl"] ?? "", "latin1").equals(bytes)).toBe(true)
        })
      )
    }
  )
}
