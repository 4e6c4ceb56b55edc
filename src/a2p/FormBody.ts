/** One file part of a form. */
interface FormFile {
  /** The name of the field. */
  readonly field: string
  readonly name: string
  /** Opened when its turn comes. */
  readonly open: () => Promise<ReadableStream<Uint8Array> | Uint8Array>
}

/** As browsers write a name into a header. */
const quoted = (text: string) => `"${text.replaceAll('"', "%22").replaceAll("\r", "%0D").replaceAll("\n", "%0A")}"`

const encoder = new TextEncoder()

const chunksOf = async function* (stream: ReadableStream<Uint8Array>) {
  const reader = stream.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    await reader.cancel()
  }
}

/** Files as the body of a `multipart/form-data` request; the next is opened when the one before has been read. */
export const formBody = (files: ReadonlyArray<FormFile>) => {
  const boundary = `part-${crypto.randomUUID()}`
  const written = async function* () {
    for (const { field, name, open } of files) {
      const head = `content-disposition: form-data; name=${quoted(field)}; filename=${quoted(name)}`
      yield encoder.encode(`--${boundary}\r\n${head}\r\n\r\n`)
      const content = await open()
      if (content instanceof Uint8Array) yield content
      else yield* chunksOf(content)
      yield encoder.encode("\r\n")
    }
    yield encoder.encode(`--${boundary}--\r\n`)
  }
  const chunks = written()
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await chunks.next()
      if (done === true) controller.close()
      else if (value.length > 0) controller.enqueue(value)
    },
    async cancel() {
      await chunks.return()
    }
  })
  return { content_type: `multipart/form-data; boundary=${boundary}`, body }
}
