import { Config, type Redacted } from "effect"
import * as Setting from "../Setting.ts"
import { parseKey } from "../secrets/LocalKeys.ts"

const { setting, optional, secret } = Setting

/** Where secrets are kept. A function, so that its variables are declared in their place among the others. */
export const secretsSettings = () =>
  Config.all({
    encryption_key: Setting.decoded(
      secret("API_KEY_ENCRYPTION_KEY", {
        shown: "made in DATA_DIR",
        description:
          "key of the local secret store: 32 bytes as base64 or hex (`openssl rand -base64 32`); processes over one database share it"
      }),
      "API_KEY_ENCRYPTION_KEY",
      "32 bytes as base64 or hex",
      parseKey
    ),
    encryption_keys_old: Setting.decoded(
      secret("API_KEY_ENCRYPTION_KEYS_OLD", {
        shown: "none",
        description: "keys before that one, comma-separated: what they encrypted can still be read"
      }),
      "API_KEY_ENCRYPTION_KEYS_OLD",
      "keys of 32 bytes as base64 or hex, comma-separated",
      (text) => {
        const keys = text.split(",").map(parseKey)
        return keys.every((key) => key !== undefined) ? keys : undefined
      }
    ),
    allow_local: setting("ALLOW_LOCAL_SECRETS", Setting.boolean, {
      fallback: false,
      shown: "false",
      description: "keep secrets in the local store in production too"
    }),
    vault_addr: optional("VAULT_ADDR", Setting.url("http://", "https://"), {
      shown: "–",
      description: "address of a HashiCorp Vault or OpenBao, whose KV version 2 then keeps the secrets"
    }),
    vault_token: secret("VAULT_TOKEN", { shown: "–", description: "token for it; or an AppRole with the next two" }),
    vault_role_id: optional("VAULT_ROLE_ID", Config.nonEmptyString, { shown: "–", description: "role of AppRole" }),
    vault_secret_id: secret("VAULT_SECRET_ID", { shown: "–", description: "secret of that role" }),
    vault_namespace: optional("VAULT_NAMESPACE", Config.nonEmptyString, { shown: "–", description: "namespace" }),
    vault_mount: setting("VAULT_MOUNT", Config.nonEmptyString, {
      fallback: "secret",
      shown: "secret",
      description: "where its KV version 2 is mounted"
    }),
    aws_kms_key_id: optional("AWS_KMS_KEY_ID", Config.nonEmptyString, {
      shown: "–",
      description: "id, alias or ARN of an AWS KMS key, which then wraps the keys of the secrets in the database"
    }),
    aws_region: optional("AWS_REGION", Config.nonEmptyString, {
      shown: "the ARN's, or AWS default chain",
      description: "region of that key"
    }),
    aws_kms_endpoint: optional("AWS_ENDPOINT_URL_KMS", Setting.url("http://", "https://"), {
      shown: "AWS",
      description: "address of the KMS, when it is not AWS"
    })
  })

export interface SecretsValues extends Config.Config.Success<ReturnType<typeof secretsSettings>> {}

type Given = Pick<SecretsValues, "vault_addr" | "aws_kms_key_id"> & {
  readonly vault_token: Redacted.Redacted | undefined
}

/** Which store these values ask for. */
export const storeKind = ({ vault_addr, aws_kms_key_id }: Pick<Given, "vault_addr" | "aws_kms_key_id">) =>
  vault_addr !== undefined ? "vault" : aws_kms_key_id !== undefined ? "aws-kms" : "local"

/** What is well-formed and cannot work, or must not. */
export const secretsProblems = (
  values: SecretsValues,
  app_env: "development" | "staging" | "production"
): ReadonlyArray<string> => {
  const { vault_addr, vault_token, vault_role_id, vault_secret_id, aws_kms_key_id, allow_local } = values
  const problems: Array<string> = []
  if (vault_addr !== undefined && aws_kms_key_id !== undefined) {
    problems.push("VAULT_ADDR: set it or AWS_KMS_KEY_ID, not both: secrets are kept in one place")
  }
  if (vault_addr !== undefined && vault_token === undefined && vault_role_id === undefined) {
    problems.push("VAULT_TOKEN: needed with VAULT_ADDR; or VAULT_ROLE_ID and VAULT_SECRET_ID")
  }
  if (vault_token !== undefined && vault_role_id !== undefined) {
    problems.push("VAULT_TOKEN: set it or VAULT_ROLE_ID, not both")
  }
  if ((vault_role_id === undefined) !== (vault_secret_id === undefined)) {
    problems.push("VAULT_SECRET_ID: VAULT_ROLE_ID and VAULT_SECRET_ID go together")
  }
  if (app_env === "production" && storeKind(values) === "local" && !allow_local) {
    problems.push(
      "VAULT_ADDR: production needs a store for its secrets: set VAULT_ADDR, or AWS_KMS_KEY_ID, or ALLOW_LOCAL_SECRETS=true with API_KEY_ENCRYPTION_KEY"
    )
  }
  return problems
}
