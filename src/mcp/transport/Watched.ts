/** Says nothing to the client: the header fields of a stream leave with its first byte, which may be long in coming. */
const opening = new TextEncoder().encode(": open\n\n")

/**
 * A stream of events that begins at once and tells when it is over, whichever side ends it, also when the client
 * went away before it was answered.
 */
export const watched = (response: Response, { signal }: Request, over: () => void): Response => {
  const { body, status, headers } = response
  if (body === null) return response
  const reader = body.getReader()
  let isOver = false
  const finish = () => {
    if (isOver) return
    isOver = true
    over()
  }
  const leave = () => {
    finish()
    return reader.cancel()
  }
  if (signal.aborted) void leave()
  else signal.addEventListener("abort", leave, { once: true })
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(opening),
    pull: async (controller) => {
      const next = await reader.read()
      if (!next.done) return controller.enqueue(next.value)
      finish()
      signal.removeEventListener("abort", leave)
      controller.close()
    },
    cancel: leave
  })
  return new Response(stream, { status, headers })
}
