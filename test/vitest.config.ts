import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

export default defineConfig({
  resolve: { alias: { "redoc/bundles/redoc.standalone.js": path("support/redocBundle.ts") } },
  test: {
    root: path(".."),
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/globalSetup.ts"],
    // A machine that others use too may be slow for a moment.
    retry: process.env.CI ? 2 : 0,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: "forks",
    poolOptions: { forks: { maxForks: 2 } },
    coverage: { provider: "istanbul", include: ["src/**"], reporter: ["text-summary", "json-summary"] }
  }
})
