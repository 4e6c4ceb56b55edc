// Four small web applications with their servers, to be recorded in a real browser.
import { readFile } from "node:fs/promises"

type Body = Readonly<Record<string, unknown>>
type Handler = (at: {
  readonly params: ReadonlyArray<string>
  readonly query: URLSearchParams
  readonly body: Body
}) => unknown
type Routes = ReadonlyArray<readonly [method: string, pattern: RegExp, handle: Handler]>

const products = [
  { id: 11, name: "Espresso", price: 2.5 },
  { id: 12, name: "Flat White", price: 3.8 },
  { id: 13, name: "Caffè Latte", price: 4.1 },
  { id: 14, name: "Cold Brew", price: 4.4 },
  { id: 15, name: "Almond Croissant", price: 3.2 },
  { id: 16, name: "Banana Bread", price: 3 }
]

const coffee = (): Routes => {
  let next = 1
  let cart: ReadonlyArray<Body> = []
  return [
    [
      "GET",
      /^\/api\/menu$/,
      ({ query }) => products.filter(({ name }) => name.toLowerCase().includes((query.get("q") ?? "").toLowerCase()))
    ],
    ["POST", /^\/api\/cart$/, ({ body }) => (cart = [...cart, { id: next++, ...body }])],
    ["DELETE", /^\/api\/cart\/(\d+)$/, ({ params: [id] }) => (cart = cart.filter((line) => String(line["id"]) !== id))],
    ["POST", /^\/api\/promo$/, ({ body }) => ({ message: `${body["code"]}: 10 % off` })],
    [
      "POST",
      /^\/api\/orders$/,
      () => {
        cart = []
        return { order: `C-${1000 + next}` }
      }
    ]
  ]
}

const tracker = (): Routes => {
  let issues: ReadonlyArray<Body> = [
    { id: 101, title: "Login page is blank on Safari", description: "Since 4.2", status: "open", assignee: "ada" },
    { id: 102, title: "Export takes minutes", description: "", status: "in progress", assignee: "nobody" },
    { id: 103, title: "Typo in the footer", description: "", status: "open", assignee: "nobody" }
  ]
  const one = (id: string | undefined) => issues.find((issue) => String(issue["id"]) === id)
  const change = (id: string | undefined, set: Body) => {
    issues = issues.map((issue) => (String(issue["id"]) === id ? { ...issue, ...set } : issue))
    return one(id)
  }
  return [
    [
      "GET",
      /^\/api\/issues$/,
      ({ query }) =>
        issues.filter(({ title }) =>
          String(title)
            .toLowerCase()
            .includes((query.get("q") ?? "").toLowerCase())
        )
    ],
    ["GET", /^\/api\/issues\/(\d+)$/, ({ params: [id] }) => one(id)],
    [
      "POST",
      /^\/api\/issues$/,
      ({ body }) => (issues = [...issues, { id: 101 + issues.length, status: "open", assignee: "nobody", ...body }])
    ],
    ["PATCH", /^\/api\/issues\/(\d+)$/, ({ params: [id], body }) => change(id, body)],
    ["PUT", /^\/api\/issues\/(\d+)\/assignee$/, ({ params: [id], body }) => change(id, body)],
    [
      "DELETE",
      /^\/api\/issues\/(\d+)$/,
      ({ params: [id] }) => (issues = issues.filter((issue) => String(issue["id"]) !== id))
    ],
    ["POST", /^\/api\/issues\/(\d+)\/comments$/, ({ body }) => body]
  ]
}

const hotels = (): Routes => {
  let next = 7001
  let bookings: ReadonlyArray<Body> = []
  return [
    [
      "GET",
      /^\/api\/hotels$/,
      ({ query }) =>
        ["Grand Plaza", "Harbour Inn", "Casa Verde"].map((name, at) => ({
          name,
          city: query.get("city"),
          price: 80 + 35 * at
        }))
    ],
    ["POST", /^\/api\/favourites$/, ({ body }) => body],
    [
      "POST",
      /^\/api\/bookings$/,
      ({ body }) => {
        bookings = [...bookings, { id: `B${next++}`, hotel: body["hotel"] }]
        return bookings.at(-1)
      }
    ],
    ["GET", /^\/api\/bookings$/, () => bookings],
    [
      "POST",
      /^\/api\/bookings\/(\w+)\/cancel$/,
      ({ params: [id] }) => (bookings = bookings.filter((booking) => booking["id"] !== id))
    ],
    ["POST", /^\/api\/reviews$/, ({ body }) => body]
  ]
}

const team = (): Routes => {
  let people: ReadonlyArray<Body> = [
    { id: "u-31", display_name: "Mira Stone", phone: "+44 20 7946 0101", team: "design" },
    { id: "u-32", display_name: "Jon Hale", phone: "+44 20 7946 0102", team: "sales" },
    { id: "u-33", display_name: "Ana Ortiz", phone: "", team: "engineering" }
  ]
  return [
    ["POST", /^\/api\/login$/, () => people],
    ["POST", /^\/api\/logout$/, () => ({})],
    ["POST", /^\/api\/invitations$/, ({ body }) => body],
    [
      "PATCH",
      /^\/api\/members\/([\w-]+)$/,
      ({ params: [id], body }) =>
        (people = people.map((person) => (person["id"] === id ? { ...person, ...body } : person)))
    ],
    [
      "DELETE",
      /^\/api\/members\/([\w-]+)$/,
      ({ params: [id] }) => (people = people.filter((person) => person["id"] !== id))
    ],
    ["GET", /^\/api\/members\/export$/, () => people],
    ["PUT", /^\/api\/settings\/notifications$/, ({ body }) => body]
  ]
}

export const apps = { coffee, tracker, hotels, team }
export type AppName = keyof typeof apps

const bodyOf = async (request: Request): Promise<Body> => {
  const text = await request.text()
  if (text === "") return {}
  return request.headers.get("content-type") === "application/json"
    ? JSON.parse(text)
    : Object.fromEntries(new URLSearchParams(text))
}

/** Serves one of the applications, fresh, on a free port. */
export const serveApp = async (name: AppName) => {
  const page = await readFile(new URL(`apps/${name}.html`, import.meta.url), "utf8")
  const routes = apps[name]()
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const { pathname, searchParams } = new URL(request.url)
      for (const [method, pattern, handle] of routes) {
        const match = method === request.method ? pattern.exec(pathname) : null
        if (match !== null) {
          return Response.json(
            handle({ params: match.slice(1), query: searchParams, body: await bodyOf(request) }) ?? null
          )
        }
      }
      return pathname === "/"
        ? new Response(page, { headers: { "content-type": "text/html" } })
        : new Response("not found", { status: 404 })
    }
  })
}
