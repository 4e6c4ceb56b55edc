import { existsSync, readFileSync } from "node:fs"
import { Config, ConfigError, ConfigProvider, Context, Duration, Effect, Layer, Redacted, Schema } from "effect"
import * as Setting from "./Setting.ts"
import { a2pSettings } from "./settings/A2pSettings.ts"
import { egressSettings } from "./settings/EgressSettings.ts"
import { limitsSettings } from "./settings/Limits.ts"
import { login } from "./settings/LoginSettings.ts"
import { mcpSettings } from "./settings/McpSettings.ts"
import { secretsProblems, secretsSettings } from "./settings/SecretsSettings.ts"

const { setting, optional, secret } = Setting

/** What kinds of jobs there are: each has its own shards, so that workers can be kept for one of them. */
export const jobKinds = ["examples", "other"] as const
export type JobKind = (typeof jobKinds)[number]

const environment = setting("APP_ENV", Setting.oneOf("development", "staging", "production"), {
  alias: "ENVIRONMENT",
  fallback: "development",
  shown: "development",
  description: "development, staging or production; production refuses unsafe defaults"
})

const server = Config.all({
  host: setting("HOST", Config.nonEmptyString, {
    fallback: "127.0.0.1",
    shown: "127.0.0.1",
    description: "address to listen on"
  }),
  port: setting("PORT", Setting.integer(0, 65535), {
    fallback: 8000,
    shown: "8000",
    description: "port to listen on; 0 takes a free one"
  }),
  cors_origins: setting("CORS_ORIGINS", Setting.list, {
    fallback: [],
    shown: "none",
    description: "origins of browsers that may call the API, comma-separated; `*` for all (refused in production)"
  }),
  shutdown_timeout: setting("SHUTDOWN_TIMEOUT", Setting.duration, {
    fallback: Duration.seconds(30),
    shown: "30 s",
    description: "how long a shutdown waits for requests and uploads to end"
  }),
  public_url: optional("PUBLIC_URL", Setting.url("http://", "https://"), {
    shown: "the listen address",
    description: "the address under which callers reach this service"
  })
})

const data = Config.all({
  data_dir: setting("DATA_DIR", Config.nonEmptyString, {
    fallback: "./.data",
    shown: "./.data",
    description: "everything that the defaults store: bundled database, objects, spooled archives"
  }),
  bootstrap_api_key: secret("BOOTSTRAP_API_KEY", {
    shown: "made and printed once",
    description: "first API key of the first organization"
  })
})

const database = Config.all({
  database_url: secret("DATABASE_URL", {
    shown: "bundled PostgreSQL",
    description: "PostgreSQL 14 or newer, as the application's role"
  }),
  db_host: optional("DB_HOST", Config.nonEmptyString, {
    shown: "–",
    description: "with the next four: instead of DATABASE_URL"
  }),
  db_port: setting("DB_PORT", Setting.integer(1, 65535), {
    fallback: 5432,
    shown: "5432",
    description: "port of DB_HOST"
  }),
  db_user: setting("DB_USER", Config.nonEmptyString, {
    fallback: "tracepipe",
    shown: "tracepipe",
    description: "role"
  }),
  db_password: secret("DB_PASSWORD", { shown: "–", description: "password of DB_USER" }),
  db_name: setting("DB_NAME", Config.nonEmptyString, {
    fallback: "tracepipe",
    shown: "tracepipe",
    description: "database"
  }),
  database_migration_url: secret("DATABASE_MIGRATION_URL", {
    shown: "DATABASE_DIRECT_URL",
    description: "the same database as the role that owns the tables; migrations run as it"
  }),
  database_direct_url: secret("DATABASE_DIRECT_URL", {
    shown: "DATABASE_URL",
    description: "unpooled address, for migrations and session locks, where DATABASE_URL is a pooler"
  }),
  pool_size: setting("DATABASE_POOL_SIZE", Setting.integer(1, 1000), {
    fallback: 20,
    shown: "20",
    description: "connections kept"
  }),
  max_overflow: setting("DATABASE_MAX_OVERFLOW", Setting.integer(0, 1000), {
    fallback: 10,
    shown: "10",
    description: "connections above that under load"
  }),
  statement_timeout: setting("DATABASE_STATEMENT_TIMEOUT", Setting.duration, {
    fallback: Duration.seconds(30),
    shown: "30 s",
    description: "longest time one statement may take"
  }),
  connect_timeout: setting("DATABASE_CONNECT_TIMEOUT", Setting.duration, {
    fallback: Duration.seconds(60),
    shown: "60 s",
    description: "how long a start waits for the database to answer"
  }),
  migrate_on_start: setting("MIGRATE_ON_START", Setting.boolean, {
    fallback: true,
    shown: "true",
    description: "apply pending migrations at start; false: refuse to start when behind"
  })
})

const objects = Config.all({
  s3_bucket: optional("S3_BUCKET", Config.nonEmptyString, {
    shown: "files under DATA_DIR",
    description: "bucket of an S3-compatible store"
  }),
  s3_endpoint: optional("S3_ENDPOINT", Setting.url("http://", "https://"), {
    shown: "AWS",
    description: "its address, when it is not AWS"
  }),
  s3_region: setting("S3_REGION", Config.nonEmptyString, {
    fallback: "us-east-1",
    shown: "us-east-1",
    description: "its region"
  }),
  s3_access_key_id: optional("S3_ACCESS_KEY_ID", Config.nonEmptyString, {
    shown: "AWS default chain",
    description: "access key"
  }),
  s3_secret_access_key: secret("S3_SECRET_ACCESS_KEY", {
    shown: "AWS default chain",
    description: "secret of that key"
  }),
  s3_force_path_style: optional("S3_FORCE_PATH_STYLE", Setting.boolean, {
    shown: "true with S3_ENDPOINT, else false",
    description: "bucket in the path instead of the host name"
  })
})

const ingest = Config.all({
  max_session_bytes: setting("MAX_SESSION_BYTES", Setting.bytes, {
    fallback: 10 * 1024 ** 3,
    shown: "10 GiB",
    description: "largest session, all files together, archives expanded"
  }),
  max_files_per_session: setting("MAX_FILES_PER_SESSION", Setting.integer(1, 1_000_000), {
    fallback: 10_000,
    shown: "10000",
    description: "most files in one session"
  }),
  upload_concurrency: setting("UPLOAD_CONCURRENCY", Setting.integer(1, 1024), {
    fallback: 8,
    shown: "8",
    description: "part buffers of 8 MiB that all uploads to S3 share; further ones wait"
  }),
  upload_idle_timeout: setting("UPLOAD_IDLE_TIMEOUT", Setting.duration, {
    fallback: Duration.seconds(60),
    shown: "60 s",
    description: "an upload that brings no byte for so long is ended"
  }),
  upload_ttl: setting("UPLOAD_TTL", Setting.duration, {
    fallback: Duration.hours(24),
    shown: "24 h",
    description: "how long an upload of several requests is kept after its last byte until it is finished and used"
  }),
  upload_gc_interval: setting("UPLOAD_GC_INTERVAL", Setting.duration, {
    fallback: Duration.minutes(5),
    shown: "5 min",
    description: "how often the remains of cut-off uploads are collected"
  })
})

const redaction = Config.all({
  patterns: setting("REDACT_PATTERNS", Setting.patterns, {
    fallback: [],
    shown: "none",
    description:
      "what is taken out of timelines and all that is made of them, besides passwords, credentials and cards: regular expressions, one per line or as a JSON array"
  })
})

const fraction = (name: string) =>
  Config.number(name).pipe(
    Config.validate({ message: "expected a number from 0 to 1", validation: (value) => value >= 0 && value <= 1 })
  )

const examples = Config.all({
  confidence_threshold: setting("CONFIDENCE_THRESHOLD", fraction, {
    fallback: 0.5,
    shown: "0.5",
    description: "examples that were recognised with less confidence (0 to 1) wait for a review"
  })
})

const jobs = Config.all({
  role: setting("ROLE", Setting.oneOf("all", "api", "worker"), {
    fallback: "all",
    shown: "all",
    description:
      "api answers requests and starts jobs, worker runs them (PORT then has /live, /ready and /metrics alone), all does both; api and worker need DATABASE_URL and share S3_BUCKET"
  }),
  worker_kinds: setting("WORKER_KINDS", Setting.someOf(...jobKinds), {
    fallback: jobKinds,
    shown: "all",
    description: `which jobs this process runs, comma-separated: ${jobKinds.join(", ")}`
  })
})

const llm = Config.all({
  provider: optional("LLM_PROVIDER", Setting.oneOf("openai", "anthropic", "google", "azure", "custom"), {
    shown: "none: the built-in models",
    description:
      "whose LLM_API_KEY and LLM_BASE_URL are: openai, anthropic, google, azure, or custom for any server with /chat/completions"
  }),
  api_key: secret("LLM_API_KEY", { shown: "–", description: "key of LLM_PROVIDER; sent to LLM_BASE_URL only" }),
  base_url: optional("LLM_BASE_URL", Setting.url("http://", "https://"), {
    shown: "the provider's own",
    description:
      "address of LLM_PROVIDER's API: `https://…/v1`; for anthropic without `/v1`, for google `https://…/v1beta`"
  }),
  openai_api_key: secret("OPENAI_API_KEY", { shown: "–", description: "key for models of OPENAI at OpenAI itself" }),
  anthropic_api_key: secret("ANTHROPIC_API_KEY", {
    shown: "–",
    description: "key for models of ANTHROPIC at Anthropic itself"
  }),
  google_api_key: secret("GOOGLE_API_KEY", {
    shown: "–",
    description: "key for models of GOOGLE at the Gemini API itself"
  }),
  timeout: setting("LLM_TIMEOUT", Setting.duration, {
    fallback: Duration.minutes(2),
    shown: "2 min",
    description: "longest time one answer of a provider may take"
  }),
  retry_for: setting("LLM_RETRY_FOR", Setting.duration, {
    fallback: Duration.minutes(5),
    shown: "5 min",
    description: "how long a request is repeated while the provider is away, overloaded or limits its rate"
  }),
  concurrency: setting("LLM_CONCURRENCY", Setting.integer(1, 1000), {
    fallback: 4,
    shown: "4",
    description: "requests of this process to one provider at a time; further ones wait"
  })
})

const egress = egressSettings()

const mcp = mcpSettings()

const observability = Config.all({
  log_level: setting("LOG_LEVEL", Setting.oneOf("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "FATAL", "NONE"), {
    fallback: "INFO",
    shown: "INFO",
    description: "TRACE, DEBUG, INFO, WARNING, ERROR, FATAL or NONE"
  }),
  log_format: optional("LOG_FORMAT", Setting.oneOf("text", "json"), {
    shown: "text on a terminal, else json",
    description: "text or json"
  }),
  log_requests: setting("LOG_REQUESTS", Setting.boolean, {
    fallback: true,
    shown: "true",
    description: "one line per request"
  }),
  enable_metrics: setting("ENABLE_METRICS", Setting.boolean, {
    fallback: true,
    shown: "true",
    description: "serve /metrics"
  }),
  prometheus_metrics_port: optional("PROMETHEUS_METRICS_PORT", Setting.integer(1, 65535), {
    shown: "same port",
    description: "serve /metrics on a port of its own instead"
  })
})

const all = Config.all({
  app_env: environment,
  server,
  data,
  database,
  objects,
  ingest,
  redaction,
  examples,
  jobs,
  llm,
  egress,
  mcp,
  login,
  observability,
  secrets: secretsSettings(),
  limits: limitsSettings(),
  a2p: a2pSettings()
})

/** Everything that is read from the environment, decoded. */
export interface Values extends Config.Config.Success<typeof all> {}

/** The configuration cannot be used; the message names every variable and what was expected. */
export class ConfigurationInvalid extends Schema.TaggedError<ConfigurationInvalid>("platform/ConfigurationInvalid")(
  "ConfigurationInvalid",
  { problems: Schema.Array(Schema.String) }
) {
  override get message() {
    return `the configuration is not valid:\n${this.problems.map((line) => `  ${line}`).join("\n")}`
  }
}

const flatten = (error: ConfigError.ConfigError): ReadonlyArray<string> =>
  ConfigError.isConfigError(error) && (error._op === "And" || error._op === "Or")
    ? [...flatten(error.left), ...flatten(error.right)]
    : [`${[...new Set(error.path)].join("_")}: ${error.message}`]

/** What is well-formed and cannot work: a process of its own cannot reach a database that is another's child. */
const contradictory = (values: Values): ReadonlyArray<string> => {
  const { role } = values.jobs
  if (role === "all" || databaseUrl(values) !== undefined) return []
  return [
    `DATABASE_URL: needed with ROLE=${role}, for it works together with other processes over one database; the bundled database serves the one process that starts it`
  ]
}

type Environment = Readonly<Record<string, string | undefined>>

/** Replaces `NAME_FILE=/path` by `NAME=<content>` for every declared secret. */
const withMountedSecrets = (
  env: Environment
): { readonly env: Environment; readonly problems: ReadonlyArray<string> } => {
  const out: Record<string, string | undefined> = { ...env }
  const problems: Array<string> = []
  for (const { name } of Setting.declared().filter((doc) => doc.secret)) {
    const path = env[`${name}_FILE`]
    if (path === undefined || path === "") continue
    if (env[name] !== undefined) problems.push(`${name}: set it or ${name}_FILE, not both`)
    else if (!existsSync(path)) problems.push(`${name}_FILE: there is no file ${path}`)
    else out[name] = readFileSync(path, "utf8").trim()
  }
  return { env: out, problems }
}

const unsafe = (values: Values): ReadonlyArray<string> => {
  if (values.app_env !== "production") return []
  return [
    ...(values.server.cors_origins.includes("*")
      ? ["CORS_ORIGINS: `*` is refused in production: name the origins"]
      : []),
    ...(["oidc_discovery_url", "better_auth_url"] as const)
      .filter((name) => values.login[name]?.startsWith("http://"))
      .map((name) => `${name.toUpperCase()}: https:// is needed in production, as keys are fetched from there`),
    ...(values.login.oidc_discovery_url !== undefined &&
    values.login.oidc_audience === undefined &&
    values.server.public_url === undefined
      ? [
          "PUBLIC_URL: needed with OIDC_DISCOVERY_URL in production (or OIDC_AUDIENCE), as access tokens must name this service"
        ]
      : [])
  ]
}

const isSeed = (seed: string) => seed.trim().length >= 32

/** What is set, and lacks what it needs. */
const incomplete = ({ llm, login }: Values): ReadonlyArray<string> => [
  ...(llm.provider === undefined && (llm.api_key !== undefined || llm.base_url !== undefined)
    ? ["LLM_PROVIDER: name it, as LLM_API_KEY or LLM_BASE_URL is set: openai, anthropic, google, azure or custom"]
    : []),
  ...(login.oidc_discovery_url !== undefined && login.oidc_client_id === undefined
    ? ["OIDC_CLIENT_ID: name the client, as OIDC_DISCOVERY_URL is set"]
    : []),
  ...(login.jwt_secret_key !== undefined && !Redacted.value(login.jwt_secret_key).split(",").every(isSeed)
    ? ["JWT_SECRET_KEY: expected 32 characters or more, or two such seeds as `new,old`"]
    : [])
]

/**
 * Decodes an environment whole: every problem is in the one error.
 * An empty variable counts as absent, as compose files and CI systems write them so.
 */
export const decode = (environment: Environment): Effect.Effect<Values, ConfigurationInvalid> =>
  Effect.gen(function* () {
    const { env, problems } = withMountedSecrets(environment)
    const present = Object.entries(env).flatMap(([name, value]) =>
      value === undefined || value.trim() === "" ? [] : [[name, value] as const]
    )
    const provider = ConfigProvider.fromMap(new Map(present), { pathDelim: "\u0000" })
    const values = yield* provider
      .load(all)
      .pipe(Effect.mapError((error) => new ConfigurationInvalid({ problems: [...problems, ...flatten(error)] })))
    const found = [...problems, ...incomplete(values), ...unsafe(values), ...contradictory(values)].concat(
      secretsProblems(values.secrets, values.app_env)
    )
    return found.length > 0 ? yield* new ConfigurationInvalid({ problems: found }) : values
  })

const prefixes = [
  "S3_",
  "DATABASE_",
  "DB_",
  "UPLOAD_",
  "LOG_",
  "MAX_SESSION",
  "MAX_FILES",
  "PROMETHEUS_",
  "BOOTSTRAP_",
  "REDACT_",
  "WORKER_",
  "LLM_",
  "OIDC_",
  "BETTER_AUTH_",
  "AUTH_",
  "JWT_",
  "VAULT_",
  "AWS_KMS_",
  "API_KEY_ENCRYPTION_",
  "RATE_LIMIT_",
  "REDIS_",
  "QUOTA_",
  "AUTH_BACKOFF_",
  "TRUSTED_",
  "MCP_",
  "A2P_"
]

/** Variables that look like ours and are not: most often a slip of the keyboard. */
export const unknownVariables = (environment: Environment): ReadonlyArray<string> => {
  const known = new Set(Setting.declared().flatMap(({ name, secret }) => (secret ? [name, `${name}_FILE`] : [name])))
  return Object.keys(environment).filter(
    (name) => !known.has(name) && prefixes.some((prefix) => name.startsWith(prefix))
  )
}

/** Every variable with its effective value (secrets redacted) and where it came from. */
export const effective = (environment: Environment) =>
  Setting.declared().map((doc) => {
    const given = environment[doc.name] ?? (doc.secret ? environment[`${doc.name}_FILE`] : undefined)
    const isSet = given !== undefined && given.trim() !== ""
    return {
      name: doc.name,
      value: !isSet ? doc.fallback : doc.secret ? "<redacted>" : given,
      source: isSet ? "environment" : "default"
    }
  })

/** The decoded configuration of this process. */
export class Settings extends Context.Tag("platform/Settings")<Settings, Values>() {
  static readonly layer = (environment: Environment) => Layer.effect(Settings, decode(environment))
}

/** The PostgreSQL address that the variables give, or undefined for the bundled one. */
export const databaseUrl = ({ database }: Values): Redacted.Redacted | undefined => {
  if (database.database_url !== undefined) return database.database_url
  if (database.db_host === undefined) return undefined
  const address = new URL(`postgres://${database.db_host}:${database.db_port}/${encodeURIComponent(database.db_name)}`)
  address.username = encodeURIComponent(database.db_user)
  if (database.db_password !== undefined) address.password = encodeURIComponent(Redacted.value(database.db_password))
  return Redacted.make(address.toString())
}
