/** Clients whose configuration is known. */
export const clients = ["claude-desktop", "claude-code", "cursor", "vscode"] as const
/** One of them. */
export type ClientName = (typeof clients)[number]

interface Server {
  /** The service's address, without a slash at its end. */
  readonly url: string
  /** Undefined: the configuration says where it goes. */
  readonly api_key: string | undefined
  /** How this program is started, for clients that start one. */
  readonly program: readonly [command: string, ...args: ReadonlyArray<string>]
}

/** What a client is given, and where it goes. */
interface Config {
  readonly file: string
  readonly json: object
  readonly hint?: string
}

const placeholder = "<your API key>"

/** Files that are shared hold no key, but where the client finds it: each has its own way to say so. */
const overHttp = ({ url }: Server, key: string) => ({
  url: `${url}/mcp`,
  headers: { Authorization: `Bearer ${key}` }
})

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: the clients fill these in.
const fromEnvironment = { "claude-code": "${TRACEPIPE_API_KEY}", cursor: "${env:TRACEPIPE_API_KEY}" }
const fromInput = "${input:tracepipe-key}"
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: the clients fill these in.

/** The configuration that connects a client to the service's MCP endpoint. */
export const configOf = (client: ClientName, server: Server): Config => {
  const { url, api_key = placeholder, program } = server
  switch (client) {
    case "claude-desktop": {
      const [command, ...args] = program
      return {
        file: "claude_desktop_config.json (Settings > Developer > Edit Config), then restart Claude",
        json: {
          mcpServers: {
            tracepipe: { command, args: [...args, "mcp", "--url", url], env: { TRACEPIPE_API_KEY: api_key } }
          }
        }
      }
    }
    case "claude-code":
      return {
        file: ".mcp.json in the project's folder; everybody sets TRACEPIPE_API_KEY",
        json: { mcpServers: { tracepipe: { type: "http", ...overHttp(server, fromEnvironment[client]) } } },
        hint: `or, for you alone: claude mcp add --transport http tracepipe ${url}/mcp --header "Authorization: Bearer $TRACEPIPE_API_KEY"`
      }
    case "cursor":
      return {
        file: ".cursor/mcp.json in the project's folder, or ~/.cursor/mcp.json for all; everybody sets TRACEPIPE_API_KEY",
        json: { mcpServers: { tracepipe: overHttp(server, fromEnvironment[client]) } }
      }
    case "vscode":
      return {
        file: ".vscode/mcp.json in the project's folder; VS Code asks for the key once",
        json: {
          inputs: [{ type: "promptString", id: "tracepipe-key", description: "Tracepipe API key", password: true }],
          servers: {
            tracepipe: { type: "http", ...overHttp(server, fromInput) }
          }
        }
      }
  }
}
