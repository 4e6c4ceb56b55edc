import { Effect } from "effect"
import { Issue, ValidationError } from "../Errors.ts"
import type { Transport } from "./McpServer.ts"

interface Wanted {
  readonly transport?: Transport | undefined
  readonly command: string | null
  readonly url: string | null
}

const refused = (path: string, message: string) =>
  new ValidationError({ detail: `${path}: ${message}`, errors: [new Issue({ path, message })] })

/** How a server with this command or URL is spoken to; exactly one of the two must be there. */
export const transportOf = ({ transport, command, url }: Wanted): Effect.Effect<Transport, ValidationError> => {
  if (command !== null && url !== null) return refused("url", "give a command or a URL, not both")
  if (command === null && url === null) return refused("command", "give a command (stdio) or a url (http)")
  const fits = (command !== null) === (transport === "stdio")
  if (transport !== undefined && !fits) {
    return refused("transport", `${transport} needs a ${transport === "stdio" ? "command" : "url"}`)
  }
  return Effect.succeed(transport ?? (command === null ? "streamable-http" : "stdio"))
}
