import { randomBytes } from "node:crypto"
import { Effect, Redacted } from "effect"
import type { OrganizationId } from "../domain/Ids.ts"
import { SecretStore, type SecretVersion } from "../platform/SecretStore.ts"
import { originOf } from "./audit/Checkpoint.ts"
import * as SignedNote from "./audit/SignedNote.ts"

const at = { org_id: null, path: "audit/signing-key" }

const seedLength = 32

interface Signed {
  readonly note: string
  readonly verifier: string
}

/** Signs checkpoints with an Ed25519 key that the secret store keeps; made at the first use. */
export class AuditSigner extends Effect.Service<AuditSigner>()("identity/AuditSigner", {
  effect: Effect.gen(function* () {
    const store = yield* SecretStore
    let seed: Buffer | undefined
    let earlier: ReadonlyArray<Buffer> = []

    const seedOf = ({ value }: SecretVersion) => Buffer.from(Redacted.value(value), "base64")

    const read = Effect.map(store.get(at), (found) => {
      seed = found === undefined ? undefined : seedOf(found)
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

    const isBy = (seeds: ReadonlyArray<Buffer>, org_id: OrganizationId, { note, verifier }: Signed) =>
      seeds.some((one) => {
        const known = SignedNote.verifier(SignedNote.signer(originOf(org_id), one).verifier)
        return (
          known !== undefined &&
          SignedNote.isSignedBy(note, known) &&
          SignedNote.verifier(verifier)?.public_key.equals(known.public_key) === true
        )
      })

    /** Every version of the key that the store still has: one may be newer than that which was read at first. */
    const readAll = Effect.gen(function* () {
      const newest = yield* store.get(at)
      if (newest === undefined) return []
      const older = yield* Effect.forEach(
        Array.from({ length: newest.version - 1 }, (_, before) => before + 1),
        (version) => store.get(at, version)
      )
      earlier = [newest, ...older.filter((one) => one !== undefined)].map(seedOf)
      return earlier
    })

    /** True when the service signed the note, with its key or one that it had, and the verifier is that key's. */
    const isOwn = (org_id: OrganizationId, signed: Signed) =>
      Effect.gen(function* () {
        const known = seed === undefined ? earlier : [seed, ...earlier]
        return isBy(known, org_id, signed) || isBy(yield* readAll, org_id, signed)
      })

    return { signers, isOwn } as const
  })
}) {}
