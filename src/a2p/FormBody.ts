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

/**
 * Files as the body of a `multipart/form-data` request; the next is opened when the one before has been
 * read.
 * @param left is called when nobody reads the body any more, so that what is being opened can be given up
 */
export const formBody = (files: ReadonlyArray<FormFile>, left: () => void) => {
  const boundary = `part-${crypto.randomUUID()}`
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined

  const written = async function* () {
    for (const { field, name, open } of files) {
      const head = `content-disposition: form-data; name=${quoted(field)}; filename=${quoted(name)}`
      yield encoder.encode(`--${boundary}\r\n${head}\r\n\r\n`)
      const content = await open()
      if (content instanceof Uint8Array) yield content
      else {
        reader = content.getReader()
        for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) yield chunk.value
      }
      yield encoder.encode("\r\n")
    }
    yield encoder.encode(`--${boundary}--\r\n`)
  }

  const chunks = written()
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      let next = await chunks.next()
      // Who puts nothing in is not asked again.
      while (next.done !== true && next.value.length === 0) next = await chunks.next()
      if (next.done === true) controller.close()
      else controller.enqueue(next.value)
    },
    // A generator that waits cannot be told to return: what it waits for is ended instead.
    async cancel() {
      left()
      await reader?.cancel()
    }
  })
  return { content_type: `multipart/form-data; boundary=${boundary}`, body }
}
