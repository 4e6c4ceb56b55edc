import type { Transform } from "node:stream"
import { constants, createGunzip, createInflateRaw, createZstdDecompress } from "node:zlib"
import { Effect, Option, Stream } from "effect"
import { type ArchiveBomb, type ArchiveLimits, BombMeter, BrokenArchive } from "./Archive.ts"
import { ZstdFrames } from "./ZstdFrames.ts"

const CHUNK_BYTES = 64 * 1024
/** 32 MiB: what one stream may take to look back. `zstd --ultra` and `--long` ask for more. */
const ZSTD_WINDOW_LOG = 25

const decoders = {
  gzip: () => createGunzip({ chunkSize: CHUNK_BYTES }),
  zstd: () =>
    createZstdDecompress({ chunkSize: CHUNK_BYTES, params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG } }),
  deflate: () => createInflateRaw({ chunkSize: CHUNK_BYTES })
}

export type Encoding = keyof typeof decoders

/** A decoder of node:zlib, fed one chunk at a time and read until it has given all that the chunk holds. */
class Decoder {
  readonly #stream: Transform
  #fed = true
  /** The data has its own end, which may come before the input's. */
  #ended = false
  #failure: BrokenArchive | undefined
  #wake = () => {}

  constructor(stream: Transform) {
    this.#stream = stream
    const wake = () => this.#wake()
    stream.on("readable", wake)
    stream.on("error", (cause) => {
      this.#failure = new BrokenArchive({ reason: cause.message })
      wake()
    })
    stream.on("end", () => {
      this.#ended = true
      this.#hasFed()
    })
  }

  #hasFed(): void {
    this.#fed = true
    this.#wake()
  }

  /** What comes out once the chunk goes in; without a chunk, what comes out at the end of the input. */
  feed(chunk: Uint8Array | undefined): Stream.Stream<Uint8Array, BrokenArchive> {
    return Stream.suspend(() => {
      if (this.#ended) return Stream.empty
      this.#fed = false
      // A failed write is told of by the stream's error, which comes after this.
      const written = (error: Error | null | undefined) => (error ? undefined : this.#hasFed())
      if (chunk === undefined) this.#stream.end()
      else this.#stream.write(chunk, written)
      return Stream.repeatEffectOption(this.#next)
    })
  }

  readonly #next = Effect.async<Uint8Array, Option.Option<BrokenArchive>>((resume) => {
    const step = () => {
      const chunk: Uint8Array | null = this.#stream.read()
      if (chunk !== null) resume(Effect.succeed(chunk))
      else if (this.#failure !== undefined) resume(Effect.fail(Option.some(this.#failure)))
      else if (this.#fed) resume(Effect.fail(Option.none()))
      else {
        this.#wake = step
        return
      }
      this.#wake = () => {}
    }
    step()
  })

  destroy(): void {
    this.#stream.destroy()
  }
}

/** The decoded bytes, at the pace of their reader; a few chunks of memory beside the decoder's window. */
export const decode = <E, R>(
  stream: Stream.Stream<Uint8Array, E, R>,
  encoding: Encoding
): Stream.Stream<Uint8Array, E | BrokenArchive, R> =>
  Stream.acquireRelease(
    Effect.sync(() => new Decoder(decoders[encoding]())),
    (decoder) => Effect.sync(() => decoder.destroy())
  ).pipe(
    Stream.flatMap((decoder) =>
      stream.pipe(
        Stream.flatMap((chunk) => decoder.feed(chunk)),
        Stream.concat(decoder.feed(undefined))
      )
    )
  )

const wholeFrames = <E, R>(stream: Stream.Stream<Uint8Array, E, R>): Stream.Stream<Uint8Array, E | BrokenArchive, R> =>
  Stream.suspend(() => {
    const frames = new ZstdFrames()
    const cutOff = Effect.suspend(() =>
      frames.complete ? Effect.void : new BrokenArchive({ reason: "unexpected end of file" })
    )
    return stream.pipe(
      Stream.tap((chunk) => Effect.sync(() => frames.write(chunk))),
      Stream.concat(Stream.drain(Stream.fromEffect(cutOff)))
    )
  })

/**
 * Decodes a gzip or zstd stream, of one or several members, within the limits. Fails with
 * {@link BrokenArchive} also where the input is cut off or followed by anything else.
 */
export const decompress = <E, R>(
  stream: Stream.Stream<Uint8Array, E, R>,
  encoding: "gzip" | "zstd",
  limits: ArchiveLimits
): Stream.Stream<Uint8Array, E | ArchiveBomb | BrokenArchive, R> =>
  Stream.suspend(() => {
    const meter = new BombMeter(limits)
    const packed = stream.pipe(Stream.tap((chunk) => Effect.sync(() => meter.packed(chunk.length))))
    return decode(encoding === "zstd" ? wholeFrames(packed) : packed, encoding).pipe(
      Stream.tap((chunk) => meter.unpacked(chunk.length) ?? Effect.void)
    )
  })
