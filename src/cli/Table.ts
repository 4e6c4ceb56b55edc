/** Rows as text with aligned columns; the last one is not padded. */
export const columns = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const width = (at: number) => Math.max(...rows.map((row) => Bun.stringWidth(row[at] ?? "")))
  const widths = (rows[0] ?? []).map((_, at) => width(at))
  const padded = (cell: string, at: number) => cell + " ".repeat((widths[at] ?? 0) - Bun.stringWidth(cell))
  return rows.map((row) => row.map(padded).join("  ").trimEnd()).join("\n")
}
