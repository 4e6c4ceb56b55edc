import { A2A_VERSION_HEADER, type AgentCard } from "@a2a-js/sdk"
import { form10, formBoth } from "./CardForms.ts"
import { requestedVersion } from "./Versions.ts"

/** How long a card is kept by who read it, in seconds. */
const MAX_AGE = 300

const etagOf = (body: string) => `"${new Bun.CryptoHasher("sha256").update(body).digest("hex").slice(0, 32)}"`

const isFresh = (request: Request, etag: string) => {
  const known = request.headers.get("if-none-match")
  if (known === null) return false
  return known.split(",").some((one) => one.trim() === "*" || one.trim().replace(/^W\//, "") === etag)
}

/** An unknown version is no reason to say nothing of those that are known. */
const isNewest = (request: Request): boolean => {
  try {
    return requestedVersion(request) === "1.0"
  } catch {
    return false
  }
}

/** `GET /.well-known/agent-card.json`: for everybody, in the form that the caller reads. */
export const cardAnswer = async (request: Request, card: AgentCard): Promise<Response> => {
  const form = isNewest(request) ? form10(card) : await formBoth(card)
  const body = JSON.stringify(form)
  const etag = etagOf(body)
  const headers = {
    etag,
    "cache-control": `public, max-age=${MAX_AGE}`,
    vary: A2A_VERSION_HEADER
  }
  if (isFresh(request, etag)) return new Response(null, { status: 304, headers })
  return new Response(request.method === "HEAD" ? null : body, {
    headers: { ...headers, "content-type": "application/json" }
  })
}
