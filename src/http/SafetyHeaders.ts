import type { Values } from "../platform/Settings.ts"

const always = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin"
}

/** No page, and nothing that a page may load. */
export const noPage = "default-src 'none'; frame-ancestors 'none'"

/** What every answer tells browsers. */
export const safetyHeaders = ({ app_env }: Values): Readonly<Record<string, string>> =>
  app_env === "production" ? { ...always, "strict-transport-security": "max-age=31536000" } : always
