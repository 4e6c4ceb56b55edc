// What the official conformance suite asks for, by the names that it has for it.

/** A picture of one pixel. */
const picture = {
  type: "image" as const,
  data: "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==",
  mimeType: "image/png"
}

/** A recording of no time at all. */
const sound = {
  type: "audio" as const,
  data: "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=",
  mimeType: "audio/wav"
}

export const text = (of: string) => ({ type: "text" as const, text: of })

const embedded = (uri: string, mimeType: string, of: string) => ({
  type: "resource" as const,
  resource: { uri, mimeType, text: of }
})

/** Tools that answer the same in every era. */
export const plainTools = {
  test_simple_text: [text("This is a simple text response for testing.")],
  test_image_content: [picture],
  test_audio_content: [sound],
  test_embedded_resource: [embedded("test://embedded-resource", "text/plain", "An embedded resource.")],
  test_multiple_content_types: [
    text("Several kinds of content:"),
    picture,
    embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
  ]
}

/** What the tool that fails says. */
export const failure = { content: [text("This tool intentionally returns an error for testing")], isError: true }

/** How far the tool that tells it is. */
export const steps = [0, 50, 100]

/** A schema of all that must survive on its way to a client. */
export const wideSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object" as const,
  $defs: {
    address: {
      $anchor: "addressDef",
      type: "object",
      properties: { street: { type: "string" }, city: { type: "string" } }
    }
  },
  properties: {
    name: { type: "string" },
    address: { $ref: "#/$defs/address" },
    contactMethod: { type: "string", enum: ["phone", "email"] },
    phone: { type: "string" },
    email: { type: "string" }
  },
  allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
  if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { required: ["phone"] },
  else: { required: ["email"] },
  additionalProperties: false
}

export const noInput = { type: "object" as const, properties: {} }

/** Resources by address. */
export const resources = {
  "test://static-text": {
    mimeType: "text/plain",
    text: "This is the content of the static text resource."
  },
  "test://static-binary": { mimeType: "image/png", blob: picture.data },
  "test://watched-resource": { mimeType: "text/plain", text: "Watched resource content" }
}

export const template = "test://template/{id}/data"

export const templated = (id: string) => ({
  mimeType: "application/json",
  text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` })
})

const said = <Content>(...contents: ReadonlyArray<Content>) => ({
  messages: contents.map((content) => ({ role: "user" as const, content }))
})

interface Prompt {
  readonly arguments: ReadonlyArray<string>
  readonly render: (input: Readonly<Record<string, string>>) => {
    messages: Array<{
      role: "user"
      content: ReturnType<typeof text> | typeof picture | ReturnType<typeof embedded>
    }>
  }
}

export const prompts: Readonly<Record<string, Prompt>> = {
  test_simple_prompt: { arguments: [], render: () => said(text("This is a simple prompt for testing.")) },
  test_prompt_with_arguments: {
    arguments: ["arg1", "arg2"],
    render: ({ arg1, arg2 }) => said(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))
  },
  test_prompt_with_embedded_resource: {
    arguments: ["resourceUri"],
    render: ({ resourceUri = "" }) =>
      said<ReturnType<typeof text> | ReturnType<typeof embedded>>(
        embedded(resourceUri, "text/plain", "Embedded resource content for testing."),
        text("Please process the embedded resource above.")
      )
  },
  test_prompt_with_image: {
    arguments: [],
    render: () => said<ReturnType<typeof text> | typeof picture>(picture, text("Please analyze the image above."))
  }
}
