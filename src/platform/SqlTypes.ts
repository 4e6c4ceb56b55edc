import Pg from "pg"

const timestamptz = 1184
const bigint = 20

/** `2026-01-02 03:04:05.678901+00` as ISO 8601, exact to the millisecond; the service runs its sessions in UTC. */
const toIso = (text: string) => {
  if (!text.endsWith("+00")) return new Date(text).toISOString()
  const point = text.indexOf(".")
  const seconds = (point < 0 ? text.slice(0, -3) : text.slice(0, point)).replace(" ", "T")
  return `${seconds}.${
    point < 0
      ? "000"
      : text
          .slice(point + 1, -3)
          .padEnd(3, "0")
          .slice(0, 3)
  }Z`
}

/**
 * How values arrive from PostgreSQL: points in time as ISO text, so that one schema reads the row
 * and the JSON alike; bigint as number, as all of ours are counts and sizes below 2^53.
 */
export const types: Pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: "text" | "binary") => {
    if (oid === timestamptz) return toIso
    return oid === bigint ? Number : Pg.types.getTypeParser(oid, format)
  }
}
