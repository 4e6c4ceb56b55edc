import { describe, expect, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import fc from "fast-check"
import { presentedCredential } from "../../src/identity/Credentials.ts"

const presented = (headers: Record<string, string>) => Effect.runSync(Effect.either(presentedCredential(headers)))

const failure = (headers: Record<string, string>) =>
  Either.match(presented(headers), { onLeft: (e) => e._tag, onRight: () => "none" })

describe("the credential of a request", () => {
  it("is found wherever it may stand", () => {
    const key = { kind: "api_key", key: "tp_live_x" }
    const client = { kind: "client_secret", client_id: "agent_0123456789abcdefABCDEF", secret: "s:e:c" }
    for (const [headers, expected] of [
      [{ "x-api-key": "tp_live_x" }, key],
      [{ "api-key": "tp_live_x" }, key],
      [{ authorization: "Bearer tp_live_x" }, key],
      [{ authorization: "bearer a.b.c" }, { kind: "token", token: "a.b.c" }],
      [{ authorization: "Bearer a.b." }, { kind: "token", token: "a.b." }],
      [{ mcp_client_id: "agent_0123456789abcdefABCDEF", api_key: "s:e:c" }, client],
      [{ "mcp-client-id": "agent_0123456789abcdefABCDEF", "api-key": "s:e:c" }, client],
      [{ authorization: `Basic ${btoa("agent_0123456789abcdefABCDEF:s:e:c")}` }, client],
      [
        {
          authorization: `Basic ${btoa("agent_0123456789abcdefABCDEF:s:e:c")}`,
          mcp_client_id: "agent_0123456789abcdefABCDEF",
          api_key: "s:e:c"
        },
        client
      ]
    ] as ReadonlyArray<[Record<string, string>, unknown]>) {
      expect(presented(headers), JSON.stringify(headers)).toEqual(Either.right(expected))
    }
  })

  it("is never a cookie, nor anything in the address", () => {
    expect(failure({ cookie: "x-api-key=tp_live_x; session=a.b.c; authorization=Bearer tp_live_x" })).toBe(
      "Unauthorized"
    )
  })

  it("has a client id that could be one of ours: nothing else is looked up", () => {
    const good = "agent_0123456789abcdefABCDEF"
    for (const id of [`${good}\nhash`, `${good}\u0000`, `${good}x`, good.slice(1), "agent_x", `${good} `]) {
      expect(failure({ authorization: `Basic ${btoa(`${id}:secret`)}` }), JSON.stringify(id)).toBe("Unauthorized")
      expect(failure({ mcp_client_id: id, api_key: "secret" }), JSON.stringify(id)).toBe("Unauthorized")
    }
  })

  it("is one: two that differ are refused, of whatever kinds they are", () => {
    const one: Record<string, string>[] = [
      { "x-api-key": "tp_live_x" },
      { authorization: "Bearer a.b.c" },
      { authorization: `Basic ${btoa("agent_0123456789abcdefABCDEF:secret")}` },
      { mcp_client_id: "agent_0123456789abcdefABCDEF", api_key: "other" }
    ]
    for (const first of one) {
      for (const second of one) {
        const both = { ...first, ...second }
        const isBoth = Object.keys(both).length === Object.keys(first).length + Object.keys(second).length
        if (isBoth) expect(failure(both), JSON.stringify(both)).toBe("BadRequest")
      }
    }
    expect(failure({ "x-api-key": "tp_live_x, tp_live_y" })).toBe("BadRequest")
    expect(failure({ mcp_client_id: "agent_0123456789abcdefABCDEF", api_key: "s, t" })).toBe("BadRequest")
  })

  it("is refused by half, and whatever is sent no failure is a defect", () => {
    for (const headers of [
      { mcp_client_id: "x" },
      { api_key: "x" },
      { authorization: "Digest x" },
      { authorization: "" }
    ]) {
      expect(failure(headers as unknown as Record<string, string>)).toBe("Unauthorized")
    }
    const names = ["authorization", "x-api-key", "api-key", "api_key", "mcp_client_id", "mcp-client-id", "cookie"]
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.constantFrom(...names),
          fc.oneof(
            fc.string(),
            fc.string().map((text) => `Basic ${btoa(encodeURI(text))}`)
          )
        ),
        (headers) => {
          expect(["Unauthorized", "BadRequest", "none"]).toContain(failure(headers))
        }
      )
    )
  })
})
