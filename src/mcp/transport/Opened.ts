const comment = new TextEncoder().encode(": open\n\n")

/**
 * A stream of events whose head goes out at once: a server sends it with the first bytes, and on a quiet
 * stream these would be the first sign of life a quarter of a minute later.
 */
export const opened = (response: Response): Response => {
  const reader = response.body?.getReader()
  if (reader === undefined) return response
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(comment),
    pull: async (controller) => {
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: (reason) => reader.cancel(reason)
  })
  return new Response(body, response)
}
