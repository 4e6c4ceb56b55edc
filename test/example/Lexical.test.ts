import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import fc from "fast-check"
import type { ActionSurface } from "../../src/domain/example/Classification.ts"
import type { Episode } from "../../src/domain/example/Episode.ts"
import { classify } from "../../src/example/pipeline/Classify.ts"
import { lexical } from "../../src/example/pipeline/Lexical.ts"

const action = (name: string, ...parameters: ReadonlyArray<string>): ActionSurface => ({
  id: name,
  name,
  description: "",
  parameters: parameters.map((name) => ({ name, type: "STRING", required: true, description: "" }))
})

const actions = [
  action("add_to_cart", "product"),
  action("search_products", "query"),
  action("sign_in", "username"),
  action("delete_order", "order_id"),
  action("create_customer", "full_name", "email")
]

let seq = 0
const episode = (type: Episode["type"], more: Partial<Episode> = {}): Episode => {
  seq += 1
  return {
    from_seq: seq,
    to_seq: seq,
    at: null,
    type,
    target: null,
    value: null,
    key: null,
    url: null,
    requests: [],
    ...more
  }
}
const click = (name: string, requests: Episode["requests"] = []) =>
  episode("click", { target: { role: "button", name }, requests })
const field = (name: string, value: string) => episode("change", { target: { role: "textbox", name }, value })
const request = (method: string, url: string, body: object | null = null) => ({
  method,
  url,
  status: 200,
  body: body === null ? null : JSON.stringify(body)
})

const classified = (episodes: ReadonlyArray<Episode>) => Effect.runSync(classify(lexical, actions, episodes))

const found = (...episodes: ReadonlyArray<Episode>) =>
  classified(episodes).map(({ action, parameters }) => ({ action, parameters }))

describe("the lexical classifier", () => {
  it("makes one action of a form and the button that sends it", () => {
    expect(found(field("Full name", "Ada"), field("E-mail address", "ada@x.org"), click("Create customer"))).toEqual([
      { action: "create_customer", parameters: { full_name: "Ada", email: "ada@x.org" } }
    ])
  })

  it("knows the synonyms of interfaces", () => {
    expect(found(field("User name", "ada"), click("Log in"))).toEqual([
      { action: "sign_in", parameters: { username: "ada" } }
    ])
    expect(found(click("Add Milk to basket"))).toEqual([{ action: "add_to_cart", parameters: { product: "Milk" } }])
  })

  it("reads what the label does not say off the request", () => {
    const gone = click("Yes", [request("DELETE", "https://shop.example/api/orders/4711")])
    expect(found(gone)).toEqual([{ action: "delete_order", parameters: { order_id: "4711" } }])
    const saved = click("Save", [
      request("POST", "https://x.example/customers", { full_name: "Ada", email: "a@x.org" })
    ])
    expect(found(saved)).toEqual([{ action: "create_customer", parameters: { full_name: "Ada", email: "a@x.org" } }])
  })

  it("takes nothing out of password fields and secrets", () => {
    const password = episode("change", { target: { name: "User name", input_type: "password" }, value: "hunter2" })
    const sent = click("Sign in", [request("POST", "https://x.example/login", { token: "t", password: "hunter2" })])
    expect(JSON.stringify(found(password, sent))).not.toContain("hunter2")
  })

  it("recognises nothing in what has nothing to do with the actions", () => {
    expect(found(click("Logo"), episode("navigate", { url: "https://shop.example/about" }), click("Cookies"))).toEqual(
      []
    )
  })

  it("a form's click and the page that it opens are one action; the same click twice is two", () => {
    const opened = episode("navigate", { url: "https://shop.example/search?query=milk" })
    expect(found(field("Search", "milk"), click("Search products"), opened)).toHaveLength(1)
    expect(found(click("Add Milk to cart"), click("Add Milk to cart"))).toHaveLength(2)
  })

  const text = fc.oneof(
    fc.string(),
    fc.constantFrom("Add", "order", "Sign in", "customer", "Search products", "delete")
  )
  const anything = fc.record({
    type: fc.constantFrom<Episode["type"][]>("click", "change", "submit", "navigate", "key"),
    name: text,
    value: fc.option(fc.string()),
    url: fc.option(fc.oneof(fc.webUrl(), fc.string())),
    body: fc.option(fc.oneof(fc.json(), fc.string()))
  })

  it("answers only actions and parameters of the suite, in order, the same every time", () => {
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 20 }), (made) => {
        const episodes = made.map(({ type, name, value, url, body }, at): Episode => {
          const requests = body === null ? [] : [{ method: "POST", url: url ?? "/", status: 200, body }]
          return { from_seq: at, to_seq: at, at: null, type, target: { name }, value, key: "Enter", url, requests }
        })
        const first = classified(episodes)
        expect(JSON.stringify(classified(episodes))).toBe(JSON.stringify(first))
        for (const one of first) {
          const known = actions.find(({ name }) => name === one.action)
          expect(known).toBeDefined()
          for (const name of Object.keys(one.parameters))
            expect(known?.parameters.map(({ name }) => name)).toContain(name)
          expect(one.confidence).toBeGreaterThanOrEqual(0)
          expect(one.confidence).toBeLessThanOrEqual(1)
          expect(one.evidence.from_seq).toBeLessThanOrEqual(one.evidence.to_seq)
        }
      }),
      { numRuns: 200 }
    )
  })
})
