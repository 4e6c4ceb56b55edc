import type { ByteRange } from "../platform/ObjectStore.ts"

/**
 * The one range that a Range header asks for (RFC 9110, 14.2): undefined where the whole file is to
 * be answered (no header, another unit, several ranges), "unsatisfiable" where it lies outside.
 */
export const parse = (header: string | undefined, size: number): ByteRange | "unsatisfiable" | undefined => {
  const match = header === undefined ? null : /^bytes=(\d*)-(\d*)$/.exec(header.trim())
  if (match === null || (match[1] === "" && match[2] === "")) return undefined
  const first = match[1] === "" ? undefined : Number(match[1])
  const last = match[2] === "" ? undefined : Number(match[2])
  if (first === undefined) {
    return last === 0 || size === 0 ? "unsatisfiable" : { start: Math.max(0, size - (last ?? 0)), end: size - 1 }
  }
  // A last position before the first makes the header invalid, and an invalid one is ignored.
  if (last !== undefined && last < first) return undefined
  return first >= size ? "unsatisfiable" : { start: first, end: Math.min(last ?? size - 1, size - 1) }
}
