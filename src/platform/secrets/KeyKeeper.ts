import type { Effect } from "effect"
import type { SecretStore, SecretStoreFailed } from "../SecretStore.ts"

/** A key for one version of one secret. */
export interface DataKey {
  readonly plain: Uint8Array
  /** The same as it may be stored. */
  readonly wrapped: Uint8Array
  /** Which key unwraps it. */
  readonly kek_id: string
}

/** What a data key is bound to: it opens nothing else. */
export interface Sealing {
  /** `<org>/<path>` */
  readonly name: string
  readonly version: number
}

/** Makes data keys, and opens what they were wrapped in. */
export interface KeyKeeper {
  readonly kind: SecretStore["Type"]["kind"]
  readonly fresh: (sealing: Sealing) => Effect.Effect<DataKey, SecretStoreFailed>
  readonly unwrap: (
    key: Pick<DataKey, "wrapped" | "kek_id">,
    sealing: Sealing
  ) => Effect.Effect<Uint8Array, SecretStoreFailed>
}

/** What is authenticated with a ciphertext. No name holds a `|`. */
export const aboutOf = ({ name, version }: Sealing): string => `${name.replace("/", "|")}|${version}`
