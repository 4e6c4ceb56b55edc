import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { type Caller, organization } from "../support/Organizations.ts"
import { client, request, TestServer } from "../support/TestServer.ts"
import { call, formOf, newSuite, recorder, send } from "../support/Uploading.ts"

interface Page {
  readonly items: ReadonlyArray<{ readonly id: string; readonly path: string }>
  readonly next_cursor: string | null
}

const answered = ({ api_key }: Pick<Caller, "api_key">, path: string) =>
  Effect.flatMap(request(path, { api_key }), (response) =>
    Effect.promise(async () => ({ status: response.status, body: await response.json() }))
  )

/** Follows a list from its first page to its last; between two pages something may happen. */
const walked = (
  caller: Pick<Caller, "api_key">,
  path: string,
  limit: number,
  between: (page: number) => Effect.Effect<unknown, never, TestServer> = () => Effect.void
) =>
  Effect.gen(function* () {
    const pages: Array<Page["items"]> = []
    let cursor: string | null = ""
    while (cursor !== null) {
      const query: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`
      const { status, body }: { status: number; body: Page } = yield* answered(caller, `${path}?limit=${limit}${query}`)
      expect(status, JSON.stringify(body)).toBe(200)
      pages.push(body.items)
      cursor = body.next_cursor
      yield* between(pages.length)
    }
    return pages
  })

/** Suites straight in the database, some of them made in the same microsecond. */
const insertSuites = ({ org_id }: Caller, count: number, seconds = 0) =>
  Effect.gen(function* () {
    const { sql } = yield* TestServer
    const ids = Array.from({ length: count }, () => Bun.randomUUIDv7())
    for (const [at, id] of ids.entries()) {
      yield* sql`insert into suites (id, org_id, name, created_at)
        values (${id}, ${org_id}, ${`suite ${id}`}, '2026-01-01T00:00:00.000001Z'::timestamptz
          + ${`${seconds + Math.floor(at / 3)} seconds`}::interval)`
    }
    return ids
  }).pipe(Effect.orDie)

const encoded = (value: unknown) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url")

layer(TestServer.layer())("a list", (it) => {
  it.effect("is answered in pages of the size asked for, twenty where none is", () =>
    Effect.gen(function* () {
      const caller = yield* organization()
      yield* insertSuites(caller, 101)
      for (const [query, length] of [
        ["", 20],
        ["?limit=1", 1],
        ["?limit=100", 100],
        ["?limit=7&unknown=1", 7]
      ] as const) {
        const { body } = yield* answered(caller, `/v1/suites${query}`)
        expect(body.items.length, query).toBe(length)
        expect(body.next_cursor).toEqual(expect.any(String))
      }
    })
  )

  it.effect("refuses a limit out of bounds, and names it", () =>
    Effect.gen(function* () {
      const server = yield* TestServer
      for (const limit of ["0", "101", "-1", "1.5", "1e1", "0x10", "", "%20", "all", "NaN", "9".repeat(400)]) {
        expect(yield* answered(server, `/v1/suites?limit=${limit}`), limit).toMatchObject({
          status: 400,
          body: { code: "bad_request", errors: [{ path: "limit", message: "must be a whole number from 1 to 100" }] }
        })
      }
    })
  )

  it.effect("shows every row once, newest first, those of one moment by their ids", () =>
    Effect.gen(function* () {
      const caller = yield* organization()
      const ids = yield* insertSuites(caller, 20)
      const pages = yield* walked(caller, "/v1/suites", 6)
      expect(pages.map((items) => items.length)).toEqual([6, 6, 6, 2])
      expect(pages.flat().map(({ id }) => id)).toEqual(ids.toReversed())
    })
  )

  it.effect("keeps its place while rows come and go", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const caller = yield* organization()
      const ids = yield* insertSuites(caller, 15)
      const newest = ids.toReversed()
      const pages = yield* walked(caller, "/v1/suites", 5, (page) =>
        page === 1
          ? Effect.zipRight(
              insertSuites(caller, 4, 1000),
              // The row that the cursor stands at, and one that is yet to come.
              Effect.orDie(sql`delete from suites where id in ${sql.in([newest[4]!, newest[7]!])}`)
            )
          : Effect.void
      )
      const shown = pages.flat().map(({ id }) => id)
      expect(shown).toEqual(newest.filter((id) => id !== newest[7]))
      expect((yield* answered(caller, "/v1/suites?limit=100")).body.items.length).toBe(17)
    })
  )

  it.effect("refuses a cursor that it did not make", () =>
    Effect.gen(function* () {
      const server = yield* TestServer
      const id = Bun.randomUUIDv7()
      for (const cursor of [
        "",
        "hello",
        "' or '1'='1",
        "%00",
        "%ff",
        encoded("not json"),
        encoded(""),
        encoded([]),
        encoded({ at: 1 }),
        encoded({ at: "1", id }),
        encoded({ at: 1.5, id }),
        encoded({ at: -1, id }),
        encoded({ at: 1e300, id }),
        encoded({ at: 1, id: "'; drop table suites; --" }),
        encoded({ path: "a" })
      ]) {
        for (const path of ["/v1/suites", "/v1/sessions", "/v1/api-keys"]) {
          const value = cursor.startsWith("%") ? cursor : encodeURIComponent(cursor)
          expect(yield* answered(server, `${path}?cursor=${value}`), `${path} ${cursor}`).toMatchObject({
            status: 400,
            body: { errors: [{ path: "cursor", message: "not a cursor of this list" }] }
          })
        }
      }
      expect(yield* answered(server, `/v1/suites?cursor=${"a".repeat(5000)}`)).toMatchObject({
        status: 400,
        body: { errors: [{ path: "cursor" }] }
      })
    })
  )

  it.effect("of files goes on from long and odd names", () =>
    Effect.gen(function* () {
      const server = yield* TestServer
      const suite_id = yield* newSuite(server)
      const folder = Array.from({ length: 3 }, () => "ä".repeat(120)).join("/")
      const names = [`${folder}/one.txt`, `${folder}/two.txt`, `${folder}/'quoted' 100%.txt`, "z.txt", "a b.txt"]
      const form = formOf([
        ["suite_id", suite_id],
        ["recording", recorder, "recording.json"],
        ...names.map((name) => ["file", name, name] as const)
      ])
      const { json } = yield* send(server, { body: form })
      const path = `/v1/sessions/${json["id"]}/files`
      const pages = yield* walked(server, path, 1)
      expect(pages.map((items) => items.length)).toEqual([1, 1, 1, 1, 1, 1])
      const paths = pages.flat().map((file) => file.path)
      expect(paths.toSorted()).toEqual([...names, "recording.json"].toSorted())
      expect(paths).toEqual((yield* answered(server, path)).body.items.map((file: Page["items"][number]) => file.path))
    })
  )

  it.effect("refuses a cursor of a list in another order", () =>
    Effect.gen(function* () {
      const server = yield* TestServer
      const { suites } = yield* client()
      for (const name of ["one more", "and another"]) {
        yield* suites.create({ payload: { name, description: "", version: "", base_url: null } })
      }
      const { body } = yield* answered(server, "/v1/suites?limit=1")
      const sessions = yield* call(server, "GET", "/v1/sessions?limit=1")
      const [session] = Object(sessions.json).items
      const refused = yield* answered(server, `/v1/sessions/${session.id}/files?cursor=${body.next_cursor}`)
      expect(refused).toMatchObject({ status: 400, body: { errors: [{ path: "cursor" }] } })
    })
  )
})
