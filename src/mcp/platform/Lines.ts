import { Stream } from "effect"

/** The lines of JSON Lines, which come whole or in pieces; without the empty ones. */
export const lines = <E>(bytes: Uint8Array | Stream.Stream<Uint8Array, E>): Stream.Stream<string, E> =>
  (bytes instanceof Uint8Array ? Stream.succeed(bytes) : bytes).pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.filter((line) => line !== "")
  )
