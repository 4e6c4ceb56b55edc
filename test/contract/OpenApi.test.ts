import { expect, layer } from "@effect/vitest"
import { Validator } from "@seriousme/openapi-schema-validator"
import { Effect } from "effect"
import manifest from "../../package.json" with { type: "json" }
import { endpoints } from "../support/Contract.ts"
import { request, TestServer } from "../support/TestServer.ts"

interface Body {
  readonly schema?: Readonly<Record<string, unknown>>
}

interface Response {
  readonly description: string
  readonly headers?: Readonly<Record<string, unknown>>
  readonly content?: Readonly<Record<string, Body>>
}

interface Operation {
  readonly operationId: string
  readonly summary?: string
  readonly security: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly parameters: ReadonlyArray<{ readonly name: string; readonly in: string; readonly description?: string }>
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, Body>> }
  readonly responses: Readonly<Record<string, Response>>
}

interface Document {
  readonly info: { readonly title: string; readonly version: string; readonly license: { readonly name: string } }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, unknown>>; readonly securitySchemes: object }
  readonly tags: ReadonlyArray<{ readonly name: string; readonly description?: string }>
}

const served = Effect.gen(function* () {
  const response = yield* request("/openapi.json", { api_key: null })
  const text = yield* Effect.promise(() => response.text())
  const document: Document = JSON.parse(text)
  return { text, document }
})

const operations = ({ paths }: Document) =>
  Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ ...operation, name: `${method.toUpperCase()} ${path}` }))
  )

layer(TestServer.layer())("the OpenAPI document", (it) => {
  it.effect("is valid by a public validator", () =>
    Effect.gen(function* () {
      const { document } = yield* served
      const validate = (part: object) => Effect.promise(() => new Validator().validate({ ...part }))
      expect(yield* validate(document)).toMatchObject({ valid: true })
      const { info: _info, ...broken } = document
      expect(yield* validate(broken)).toMatchObject({ valid: false })
    })
  )

  it.effect("refers only to what it holds, and holds only what it refers to", () =>
    Effect.gen(function* () {
      const { text, document } = yield* served
      const names = [...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name)
      expect(Object.keys(document.components.schemas).sort()).toEqual([...new Set(names)].sort())
    })
  )

  it.effect("names every endpoint of the contract, each under an id of its own", () =>
    Effect.gen(function* () {
      const { document } = yield* served
      const known = endpoints.map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`)
      expect(
        operations(document)
          .map(({ name }) => name)
          .sort()
      ).toEqual(known.sort())
      const ids = operations(document).map(({ operationId }) => operationId)
      expect(new Set(ids).size).toBe(ids.length)
    })
  )

  it.effect("says what it is, in which version and under which licence", () =>
    Effect.gen(function* () {
      const { info } = (yield* served).document
      expect(info).toMatchObject({ title: "Tracepipe", version: manifest.version, license: { name: manifest.license } })
    })
  )

  it.effect("answers every failure with a problem document, and says nothing of the framework's own", () =>
    Effect.gen(function* () {
      const { text, document } = yield* served
      for (const { name, responses } of operations(document)) {
        for (const [status, { content, description }] of Object.entries(responses)) {
          if (Number(status) < 400) continue
          expect(Object.keys(content ?? {}), `${name} ${status}`).toEqual(["application/problem+json"])
          expect(JSON.stringify(content)).toContain("#/components/schemas/Problem")
          expect(description, `${name} ${status}`).not.toMatch(/schema|undefined/)
        }
      }
      expect(text).not.toMatch(/HttpApiDecodeError|PropertyKey|\/schemas\/Int"|"\$id"|"(min|max)Length\(/)
    })
  )

  it.effect("asks for a credential exactly where the contract does, and says how it is sent", () =>
    Effect.gen(function* () {
      const { document } = yield* served
      const guarded = new Set(endpoints.filter(({ authenticated }) => authenticated).map(({ name }) => name))
      for (const { operationId, security, responses } of operations(document)) {
        expect(security.length > 0, operationId).toBe(guarded.has(operationId))
        // An agent's secret may stand in the body.
        expect("401" in responses, operationId).toBe(guarded.has(operationId) || operationId === "auth.token")
        for (const name of security.flatMap(Object.keys))
          expect(document.components.securitySchemes).toHaveProperty(name)
      }
    })
  )

  it.effect("describes operations, parameters and tags in words", () =>
    Effect.gen(function* () {
      const { document } = yield* served
      for (const { name, summary, parameters, responses } of operations(document)) {
        expect(summary, name).toMatch(/\w/)
        for (const parameter of parameters) expect(parameter.description, `${name} ${parameter.name}`).toMatch(/\w/)
        for (const { description } of Object.values(responses))
          expect(description, name).not.toMatch(/^an? (string|number)/)
      }
      for (const { name, description } of document.tags) expect(description, name).toMatch(/\w/)
    })
  )

  it.effect("gives every JSON body and answer a name", () =>
    Effect.gen(function* () {
      const { document } = yield* served
      for (const { name, requestBody, responses } of operations(document)) {
        const sent = requestBody?.content["application/json"]?.schema
        if (sent !== undefined) expect(sent, name).toHaveProperty("$ref")
        for (const [status, { content }] of Object.entries(responses)) {
          const got = content?.["application/json"]?.schema
          if (Number(status) < 300 && got !== undefined) expect(got, `${name} ${status}`).toHaveProperty("$ref")
        }
      }
    })
  )

  it.effect("says of an upload and of a file what no schema can", () =>
    Effect.gen(function* () {
      const { paths } = (yield* served).document
      const upload = paths["/v1/sessions"]?.["post"]
      expect(Object.keys(upload?.requestBody?.content ?? {})).toEqual([
        "multipart/form-data",
        "application/octet-stream",
        "application/json"
      ])
      expect(upload?.responses["201"]?.headers).toHaveProperty("Location")
      expect(upload?.parameters.map(({ name }) => name)).toContain("Idempotency-Key")
      const content = paths["/v1/sessions/{id}/files/content"]?.["get"]
      expect(Object.keys(content?.responses ?? {})).toEqual(expect.arrayContaining(["200", "206", "304", "416"]))
      expect(content?.responses["206"]?.headers).toHaveProperty("Content-Range")
      expect(content?.responses["200"]?.headers).toHaveProperty("ETag")
    })
  )

  it.effect("lists only the failures that an operation can come to", () =>
    Effect.gen(function* () {
      const { document } = yield* served
      for (const { name, requestBody, responses } of operations(document)) {
        expect("415" in responses, name).toBe(requestBody !== undefined)
        expect("405" in responses, name).toBe(false)
      }
    })
  )
})
