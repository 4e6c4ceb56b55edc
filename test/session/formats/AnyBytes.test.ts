import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Format } from "../../../src/domain/session/Session.ts"
import { jsonLikeBytes, lengths } from "../../support/Chunked.ts"
import { readDocument, readLines } from "../../support/Reading.ts"

const member = fc.oneof(
  fc.json().map((text): unknown => JSON.parse(text)),
  fc.constantFrom<unknown>("user", "assistant", "", null, 0)
)
const names = fc.constantFrom(
  ..."type role content messages traj steps selectors log entries request response headers postData traceEvents args data name ph ts id".split(
    " "
  ),
  ..."message payload call_id output tool_calls function arguments trajectory history action observation cause extras trace observations".split(
    " "
  ),
  ..."input resourceSpans scopeSpans spans attributes key value events timestamp target callId startTime wallTime snapshot source".split(
    " "
  )
)

/** Documents with the names that the adapters look for, at random. */
const { container: documents } = fc.letrec<{ tree: unknown; object: unknown; container: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "medium", withCrossShrink: true },
    member,
    tie("object"),
    fc.array(tie("tree"), { maxLength: 4 })
  ),
  object: fc.dictionary(names, tie("tree"), { maxKeys: 6 }),
  container: fc.oneof(tie("object"), fc.array(tie("tree"), { maxLength: 4 }))
}))

const whole = [1_000_000_000]

describe.each(Format.literals.map((format) => [format] as const))("the adapter of %s", (format) => {
  it("reads any bytes, in any chunking, to the same events or the same failure", () => {
    fc.assert(
      fc.property(jsonLikeBytes, lengths, fc.boolean(), (bytes, cuts, asLines) => {
        const read = asLines ? readLines : readDocument
        expect(read(format, bytes, { lengths: cuts })).toEqual(read(format, bytes, { lengths: whole }))
      }),
      { numRuns: 150 }
    )
  })

  it("reads documents that look like its own, and are not", () => {
    fc.assert(
      fc.property(documents, fc.integer({ min: 1, max: 50 }), (document, cut) => {
        const bytes = Buffer.from(JSON.stringify(document))
        const { events, failure } = readDocument(format, bytes, { lengths: [cut] })
        expect(failure).toBeUndefined()
        expect(events).toEqual(readDocument(format, bytes, { lengths: whole }).events)
        expect(readLines(format, bytes).failure).toBeUndefined()
      }),
      { numRuns: 300 }
    )
  })

  it("fails where the document is cut off, after the events before it", () => {
    const { failure } = readDocument(format, '[{"a":1},{"b":')
    expect(failure).toMatch(/^file\.json: ends in the middle/)
  })
})
