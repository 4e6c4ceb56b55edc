import { randomBytes } from "node:crypto"
import { Effect, Redacted } from "effect"
import type { OrganizationId } from "../domain/Ids.ts"
import { SecretStore } from "../platform/SecretStore.ts"
import { originOf } from "./audit/Checkpoint.ts"
import * as SignedNote from "./audit/SignedNote.ts"

const at = { org_id: null, path: "audit/signing-key" }

const seedLength = 32

/** Signs checkpoints with an Ed25519 key that the secret store keeps; made at the first use. */
export class AuditSigner extends Effect.Service<AuditSigner>()("identity/AuditSigner", {
  effect: Effect.gen(function* () {
    const store = yield* SecretStore
    let seed: Buffer | undefined

    const read = Effect.map(store.get(at), (found) => {
      seed = found === undefined ? undefined : Buffer.from(Redacted.value(found.value), "base64")
      return seed
    })

    // Of two processes that make the first one at once, one wins.
    const make = store.put(at, Redacted.make(randomBytes(seedLength).toString("base64")), { after: 0 }).pipe(
      Effect.catchTag("SecretChanged", () => Effect.void),
      Effect.zipRight(read)
    )

    /** The signers of organizations. Call it outside of transactions: what it makes has to stay. */
    const signers = Effect.gen(function* () {
      const found = seed ?? (yield* read) ?? (yield* make)
      if (found === undefined) return yield* Effect.dieMessage("the secret store lost the key that was just put there")
      return (org_id: OrganizationId) => SignedNote.signer(originOf(org_id), found)
    })

    return { signers } as const
  })
}) {}
