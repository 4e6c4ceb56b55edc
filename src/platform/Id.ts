import { Context, Layer } from "effect"

/** Makes ids: UUIDv7, so that they sort by the time they were made. */
export class Id extends Context.Tag("platform/Id")<Id, { readonly next: () => string }>() {
  static readonly layer = Layer.succeed(Id, { next: () => Bun.randomUUIDv7() })
}

/** The smallest UUIDv7 of a moment (milliseconds since the epoch): where ids made from then on begin. */
export const firstIdAt = (ms: number): string => {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, "0")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7000-8000-000000000000`
}

/** The moment (milliseconds since the epoch) that a UUIDv7 was made. */
export const idTime = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
