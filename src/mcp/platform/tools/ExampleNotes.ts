import type { Example } from "../../../domain/example/Example.ts"
import type { ResourceLink, TextContent } from "../../Surface.ts"
import { messagesUri } from "../Uris.ts"

const said = (text: string): TextContent => ({ type: "text", text })

/** What can be done with an example in its state. */
export const exampleNotes = ({
  id,
  status
}: Pick<Example, "id" | "status">): ReadonlyArray<TextContent | ResourceLink> => {
  switch (status) {
    case "PENDING":
    case "RUNNING":
      return [
        said(`It is ${status}, and goes on by itself. Call get_example with example_id ${id} to see how it ends.`)
      ]
    case "COMPLETED":
      return [
        {
          type: "resource_link",
          uri: messagesUri(id),
          name: `messages of example ${id}`,
          mimeType: "application/x-ndjson",
          description: "All of its messages; get_example_messages reads them in parts"
        }
      ]
    case "FAILED":
      return [said("It FAILED: `error_message` says what to do; then call create_example again.")]
    case "CANCELLED":
      return []
  }
}
