import type { SqlClient, Statement } from "@effect/sql"

/** The columns of `audit_entries e` that its leaf covers, in the form in which it covers them. */
export const leafColumns = (sql: SqlClient.SqlClient): Statement.Fragment =>
  sql`e.id, e.org_id, to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, e.xid::text as xid,
    e.actor, e.action, e.resource, e.before_digest, e.after_digest, e.detail, e.request_id, e.personal_digest`
