// The walls between the rooms: who may import whom. A wall that has to be crossed is a question
// to the design, not to this file.
const rooms = {
  domain: [],
  api: ["domain"],
  platform: ["domain"],
  telemetry: ["domain", "platform"],
  webhook: ["domain", "platform"],
  identity: ["domain", "platform", "telemetry"],
  capability: ["domain", "platform", "telemetry", "webhook", "identity"],
  session: ["domain", "platform", "telemetry", "webhook", "identity"],
  gateway: ["domain", "platform", "telemetry", "webhook", "identity", "capability", "session"],
  example: ["domain", "platform", "telemetry", "webhook", "identity", "capability", "session"],
  chat: ["domain", "platform", "telemetry", "webhook", "identity", "capability", "session", "gateway", "example"]
}
const services = Object.keys(rooms).filter((room) => room !== "api")
// Tasks of agents are carried out beyond their request.
rooms.jobs = [...services, "a2p"]
for (const rim of ["http", "mcp", "a2p"]) rooms[rim] = ["api", ...services]
// The command line is a caller too: it may use the derived client.
rooms.cli = ["api", "client", ...services]

const wall = (room, allowed) => ({
  name: `wall-${room}`,
  severity: "error",
  comment: `src/${room} may import only: ${[room, ...allowed].join(", ")}`,
  from: { path: `^src/${room}/` },
  to: { path: "^(src|migrations|test|bench)/", pathNot: `^src/(${[room, ...allowed].join("|")})(/|\\.ts$)` }
})

module.exports = {
  forbidden: [
    ...Object.entries(rooms).map(([room, allowed]) => wall(room, allowed)),
    {
      name: "wall-client",
      severity: "error",
      from: { path: "^src/client\\.ts$" },
      to: { path: "^(src|migrations|test|bench)/", pathNot: "^src/(api|domain)/" }
    },
    {
      name: "domain-is-browser-safe",
      severity: "error",
      comment: "domain and api run in a browser: effect and the contract part of @effect/platform only",
      // A workflow's contract is server code that every service may know; no contract of the API imports it.
      from: { path: "^src/(domain|api)/", pathNot: "Workflow\\.ts$" },
      to: {
        path: "node_modules/|^(node|bun):|^(fs|path|crypto|os|bun)$",
        pathNot: "node_modules/(effect|@effect/platform)/"
      }
    },
    {
      name: "domain-needs-effect-only",
      severity: "error",
      from: { path: "^src/domain/" },
      to: {
        path: "node_modules/",
        // Errors carry their HTTP status as an annotation of the contract, workflows their kind.
        pathNot:
          "node_modules/(effect/|@effect/workflow/|@effect/cluster/.*ClusterSchema|@effect/platform/.*HttpApiSchema)"
      }
    },
    { name: "nobody-imports-main", severity: "error", from: {}, to: { path: "^src/main\\.ts$" } },
    {
      name: "only-main-imports-the-service",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/main\\.ts$" },
      to: { path: "^src/Service\\.ts$" }
    },
    {
      name: "repo-is-private",
      severity: "error",
      comment: "a repository has no access control: only its own folder may use it",
      from: { path: "^src/([^/]+)/" },
      to: { path: "Repo\\.ts$", pathNot: "^src/$1/" }
    },
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    { name: "no-unresolved", severity: "error", from: {}, to: { couldNotResolve: true, pathNot: "^bun$|^bun:" } },
    {
      name: "source-imports-no-tests",
      severity: "error",
      from: { path: "^(src|migrations)/" },
      to: { path: "^(test|bench)/" }
    }
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    builtInModules: { add: ["bun", "bun:sqlite", "bun:ffi"] },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "require", "node", "default"] }
  }
}
