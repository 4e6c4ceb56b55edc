// The floor of `read`: the same SQL and the same file, in a bare Bun handler.
import { join } from "node:path"
import Pg from "pg"

interface Options {
  readonly port: number
  readonly database: Pg.PoolConfig
  readonly objects: string
  readonly org_id: string
}

const { port, database, objects, org_id }: Options = JSON.parse(process.argv[2] ?? "{}")
const pool = new Pg.Pool({ ...database, max: 30 })

const columns = `id, session_id, suite_id, model_id, model, action_tool_map_id, map_version, model_configuration,
  case when from_seq is not null then json_build_object('from_seq', from_seq, 'to_seq', to_seq) end as range,
  status, stage, confidence, needs_review, review, message_count, redactions, tokens_in, tokens_out, cost, error_code,
  error_message, content_hash, (
    select o.id from examples o where o.org_id = $1 and o.status = 'COMPLETED' and o.review is distinct from 'rejected'
      and o.content_hash = examples.content_hash and o.id < examples.id and examples.status = 'COMPLETED'
      order by o.id limit 1) as duplicate_of,
  attempts, job_id, started_at, completed_at, created_at, updated_at`

Bun.serve({
  hostname: "127.0.0.1",
  port,
  fetch: async (request) => {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname === "/") return new Response("ready")
    if (pathname === "/v1/examples") {
      const { rows } = await pool.query(
        `select ${columns} from examples where org_id = $1 and suite_id = $2 and status = $3
          order by created_at desc, id desc limit 21`,
        [org_id, searchParams.get("suite_id"), searchParams.get("status")]
      )
      return Response.json({ items: rows.slice(0, 20), next_cursor: rows[20]?.id ?? null })
    }
    const { rows } = await pool.query<{ storage_path: string }>(
      `select storage_path, ${columns} from examples where org_id = $1 and id = $2`,
      [org_id, pathname.split("/")[3]]
    )
    return new Response(Bun.file(join(objects, rows[0]?.storage_path ?? "", "messages.jsonl")), {
      headers: { "content-type": "application/x-ndjson" }
    })
  }
})
