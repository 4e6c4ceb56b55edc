/** Clients whose configuration is known. */
export const clients = ["claude-desktop", "claude-code", "cursor", "vscode"] as const
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

const overHttp = ({ url, api_key = placeholder }: Server) => ({
  url: `${url}/mcp`,
  headers: { Authorization: `Bearer ${api_key}` }
})

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
        file: ".mcp.json in the project's folder",
        json: { mcpServers: { tracepipe: { type: "http", ...overHttp(server) } } },
        hint: `or: claude mcp add --transport http tracepipe ${url}/mcp --header "Authorization: Bearer ${api_key}"`
      }
    case "cursor":
      return {
        file: ".cursor/mcp.json in the project's folder, or ~/.cursor/mcp.json for all",
        json: { mcpServers: { tracepipe: overHttp(server) } }
      }
    case "vscode":
      return {
        file: ".vscode/mcp.json in the project's folder; VS Code asks for the key once",
        json: {
          inputs: [{ type: "promptString", id: "tracepipe-key", description: "Tracepipe API key", password: true }],
          servers: {
            tracepipe: {
              type: "http",
              url: `${url}/mcp`,
              headers: { Authorization: "Bearer ${input:tracepipe-key}" }
            }
          }
        }
      }
  }
}
