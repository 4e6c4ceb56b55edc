import { Context, type Effect, type Redacted, Schema } from "effect"
import type { OrganizationId } from "../domain/Ids.ts"
import { problem } from "../domain/Problem.ts"

/** Where a secret is kept: an organization's, or (null) the service's own, and its path there: `mcp-servers/<id>/credentials`. */
export interface SecretPath {
  readonly org_id: OrganizationId | null
  readonly path: string
}

/** One version of a secret. */
export interface SecretVersion {
  /** Counted from 1 within its path. */
  readonly version: number
  readonly value: Redacted.Redacted
}

/** The secret store does not answer, or not as it should. The reason never holds a secret. */
export class SecretStoreFailed extends Schema.TaggedError<SecretStoreFailed>("SecretStoreFailed")(
  "SecretStoreFailed",
  { reason: Schema.String },
  problem(503, "unavailable", "The secret store cannot answer now")
) {
  override get message() {
    return `the secret store does not answer: ${this.reason}`
  }
}

/** The secret was changed by somebody else meanwhile: its newest version is not the one that was expected. */
export class SecretChanged extends Schema.TaggedError<SecretChanged>("platform/SecretChanged")("SecretChanged", {
  path: Schema.String
}) {
  override get message() {
    return `the secret ${this.path} was changed meanwhile`
  }
}

/** Keeps secrets outside of every other table: Vault, a KMS, or the local envelope. */
export class SecretStore extends Context.Tag("platform/SecretStore")<
  SecretStore,
  {
    readonly kind: "local" | "vault" | "aws-kms" | "gcp-kms"
    /**
     * Writes a new version and answers its number; versions before stay readable. With `after` only
     * if that is the newest version now (0: if there is none): so that of two writers one wins.
     */
    readonly put: (
      at: SecretPath,
      value: Redacted.Redacted,
      options?: { readonly after?: number }
    ) => Effect.Effect<number, SecretStoreFailed | SecretChanged>
    /** The newest version, or the given one; undefined where there is none. */
    readonly get: (at: SecretPath, version?: number) => Effect.Effect<SecretVersion | undefined, SecretStoreFailed>
    /** Destroys the versions below this one for good. */
    readonly prune: (at: SecretPath, before: number) => Effect.Effect<void, SecretStoreFailed>
    /** Destroys every version for good. */
    readonly remove: (at: SecretPath) => Effect.Effect<void, SecretStoreFailed>
    /** Succeeds when the store answered within two seconds. */
    readonly ping: Effect.Effect<void, SecretStoreFailed>
  }
>() {}
