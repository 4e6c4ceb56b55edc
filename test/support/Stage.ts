import { Context, Duration, Effect, Layer, Redacted, type Scope } from "effect"
import { UploadTimes } from "../../src/session/UploadTimes.ts"
import { type FaultProxy, faultProxy } from "./FaultProxy.ts"
import type { Scene } from "./Remains.ts"
import { freshBucket, s3Server } from "./S3Server.ts"
import { proxied, type TcpProxy, tcpProxy } from "./TcpProxy.ts"
import { testDatabase } from "./TestDatabase.ts"
import { TestServer } from "./TestServer.ts"

export interface Bucket {
  readonly s3: NonNullable<Scene["s3"]>
  readonly environment: Readonly<Record<string, string>>
  readonly proxy: FaultProxy
  /** The connections to the proxy. */
  readonly link: TcpProxy
}

/** A bucket for a service, behind a proxy that makes faults and connections that can be cut. */
export const bucketBehindProxy: Effect.Effect<Bucket, never, Scope.Scope> = Effect.gen(function* () {
  const server = yield* s3Server
  const bucket = yield* freshBucket(server)
  const proxy = yield* faultProxy(server.endpoint)
  const link = yield* tcpProxy({ host: "127.0.0.1", port: Number(new URL(proxy.endpoint).port) })
  const environment = {
    S3_BUCKET: bucket,
    S3_ENDPOINT: `http://127.0.0.1:${link.port}`,
    S3_ACCESS_KEY_ID: server.access_key_id,
    S3_SECRET_ACCESS_KEY: Redacted.value(server.secret_access_key)
  }
  return { s3: { server, bucket }, environment, proxy, link }
})

export interface StageOptions {
  readonly environment?: Readonly<Record<string, string>>
  readonly times?: Partial<Context.Tag.Service<UploadTimes>>
  readonly store?: "file" | "s3"
}

/** A service in this process, all of whose surroundings a test can break. */
export class Stage extends Context.Tag("test/Stage")<
  Stage,
  {
    readonly scene: Scene
    /** Between the service and its database. */
    readonly database: TcpProxy
    /** The service's object store, where that is S3. */
    readonly s3: Bucket
  }
>() {
  static readonly layer = ({ environment = {}, times = {}, store = "file" }: StageOptions = {}) =>
    Layer.unwrapScoped(
      Effect.gen(function* () {
        const url = yield* testDatabase
        const { upstream, through } = proxied(url.app)
        const database = yield* tcpProxy(upstream)
        const bucket = store === "s3" ? yield* bucketBehindProxy : undefined
        const server = TestServer.layer({
          DATABASE_URL: through(database.port),
          DATABASE_MIGRATION_URL: url.owner,
          ...bucket?.environment,
          ...environment
        })
        const stage = Effect.map(TestServer, ({ base_url, api_key, data_dir }) => ({
          scene: {
            base_url,
            api_key,
            data_dir,
            database_url: url.app,
            ...(bucket === undefined ? {} : { s3: bucket.s3 })
          },
          database,
          get s3() {
            if (bucket === undefined) throw new Error("this stage's object store is a folder")
            return bucket
          }
        }))
        const defaults = {
          quiet: Duration.seconds(10),
          renew: Duration.seconds(15),
          lease: Duration.seconds(60),
          margin: Duration.seconds(60)
        }
        return Layer.effect(Stage, stage).pipe(
          Layer.provideMerge(server),
          Layer.provide(Layer.succeed(UploadTimes, { ...defaults, ...times }))
        )
      })
    )
}
