import { HttpServerResponse } from "@effect/platform"
import { Effect } from "effect"
import redocBundle from "redoc/bundles/redoc.standalone.js" with { type: "file" }

/** The pages have their scripts and styles inline, and load nothing from the network. */
export const pagePolicy =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob: 'self'; font-src data:; connect-src 'self'; worker-src blob:; frame-ancestors 'none'"

// `</script` inside an inline script would end it.
const inline = (script: string) => script.replaceAll("</script", "<\\/script")

// The one thing that the bundle would ask the network for: the picture in its footer.
const offline = (script: string) => script.replaceAll("https://cdn.redoc.ly/redoc/logo-mini.svg", "data:,")

/** Redoc over `/openapi.json`, whole in one page. */
export const redoc = Effect.map(
  Effect.promise(() => Bun.file(redocBundle).text()),
  (script) =>
    HttpServerResponse.html(`<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Tracepipe API reference</title>
<style>body { margin: 0 }</style></head><body><div id="ui"></div><script>${inline(offline(script))}</script>
<script>Redoc.init("/openapi.json", {}, document.getElementById("ui"))</script></body></html>`)
)
