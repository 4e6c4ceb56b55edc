import { formatSSEErrorEvent, formatSSEEvent, SSE_HEADERS } from "@a2a-js/sdk"

/** Events as the library's transports hand them on. */
export type Events<A> = AsyncGenerator<A, void, undefined>

const over = { done: true, value: undefined } as const

/**
 * Events until the signal aborts: then the stream is over at once, and its source is told to return,
 * even while it waits for its next event. What the source fails with goes through `told`.
 */
export const endingWith = <A>(
  signal: AbortSignal,
  open: () => Events<A>,
  told: (error: unknown) => unknown
): Events<A> => {
  let source: Events<A> | undefined
  let end: (result: typeof over) => void = () => undefined
  const aborted = new Promise<typeof over>((resolve) => {
    end = resolve
  })
  const release = () => {
    // Nobody waits for it: a source that fails while it ends has nobody to tell it to.
    void source?.return().catch(() => undefined)
  }
  const abort = () => {
    end(over)
    release()
  }
  signal.addEventListener("abort", abort, { once: true })
  const close = async () => {
    signal.removeEventListener("abort", abort)
    abort()
    return over
  }
  return {
    next: async () => {
      if (signal.aborted) return over
      try {
        source ??= open()
        return await Promise.race([source.next(), aborted])
      } catch (error) {
        throw told(error)
      }
    },
    return: close,
    throw: async (error) => {
      await close()
      throw error
    },
    [Symbol.asyncIterator]() {
      return this
    },
    [Symbol.asyncDispose]: async () => {
      await close()
    }
  }
}

/** How often a quiet stream says that it is there, so that no proxy cuts it. */
const KEEP_ALIVE_MS = 15_000

/**
 * Server-sent events, each the JSON of what `shown` makes of it; a failure in their midst is an `error`
 * event. `left` is called when the reader goes away.
 */
export const eventStream = <A>(
  events: Events<A>,
  options: {
    readonly first: IteratorResult<A, void>
    readonly shown: (event: A) => unknown
    readonly failed: (error: unknown) => unknown
    readonly left: () => void
    readonly headers: Readonly<Record<string, string>>
  }
): Response => {
  const encoder = new TextEncoder()
  let result: IteratorResult<A, void> | undefined = options.first
  let timer: ReturnType<typeof setInterval> | undefined
  const stop = () => clearInterval(timer)
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      timer = setInterval(() => controller.enqueue(encoder.encode(": \n\n")), KEEP_ALIVE_MS)
    },
    pull: async (controller) => {
      try {
        const next = result ?? (await events.next())
        result = undefined
        if (next.done !== true) return controller.enqueue(encoder.encode(formatSSEEvent(options.shown(next.value))))
      } catch (error) {
        controller.enqueue(encoder.encode(formatSSEErrorEvent(options.failed(error))))
      }
      stop()
      controller.close()
    },
    cancel: () => {
      stop()
      options.left()
    }
  })
  return new Response(body, { headers: { ...SSE_HEADERS, ...options.headers } })
}
