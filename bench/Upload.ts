import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import type { UploadResult } from "./load/Uploads.ts"
import { type Benchmark, interleaved, notRun, type Row, ratioRow } from "./support/Benchmark.ts"
import { answering, bun, freePort, result, settle, start, withFolder } from "./support/Children.ts"
import type { BundleKind } from "./support/Form.ts"
import { environmentFor, NO_S3_SERVER, type S3Server, withS3Server } from "./support/S3Server.ts"
import { type Service, startService } from "./support/Service.ts"

const GIB = 1024 ** 3
const ROUNDS = 5
/** To S3 a round takes a minute on a small machine. */
const S3_ROUNDS = 3
const target = { must: 0.5, aim: 0.8 }

const kinds: ReadonlyArray<{ readonly kind: BundleKind; readonly what: string }> = [
  { kind: "recording", what: "170 MB of JSON Lines, 100 screenshots, a video" },
  { kind: "binary", what: "one binary file" }
]

const megabytesPerSecond = ({ bytes, seconds }: Pick<UploadResult, "bytes" | "seconds">) => bytes / seconds / 1e6

const send = async (to: Pick<Service, "base_url" | "api_key" | "suite_id">, kind: BundleKind) => {
  await settle()
  const { base_url, api_key, suite_id } = to
  return result<UploadResult>("load/Uploads.ts", { base_url, api_key, suite_id, kind, bytes: GIB, at_once: 1 })
}

const toService = (service: Service, kind: BundleKind) => async () => {
  const sent = await send(service, kind)
  for (const id of sent.session_ids) await service.delete(id)
  return megabytesPerSecond(sent)
}

const toFiles = (folder: string): Promise<ReadonlyArray<Row>> =>
  withService(folder, {}, async (service) => {
    const port = await freePort()
    const base_url = `http://127.0.0.1:${port}`
    const log = join(folder, "floor.log")
    const floor = start(bun("floors/WriteFile.ts", { port, folder }), log)
    await answering(base_url, floor, log)
    const rows: Array<Row> = []
    for (const { kind, what } of kinds) {
      const samples = await interleaved(ROUNDS, {
        ours: toService(service, kind),
        floor: async () => megabytesPerSecond(await send({ ...service, base_url }, kind))
      })
      rows.push(ratioRow(`to files: ${what}`, "MB/s", samples, target))
    }
    await floor.stop()
    return rows
  })

const toS3 = (folder: string, server: S3Server | undefined): Promise<ReadonlyArray<Row>> => {
  if (server === undefined) return Promise.resolve([notRun("to S3", NO_S3_SERVER)])
  return withService(folder, environmentFor(server), async (service) => {
    const floor = async () => {
      await settle()
      return megabytesPerSecond(await result("floors/SendToS3.ts", { server, bytes: GIB }))
    }
    const rows: Array<Row> = []
    for (const { kind, what } of kinds) {
      const samples = await interleaved(S3_ROUNDS, { ours: toService(service, kind), floor })
      rows.push(ratioRow(`to S3: ${what}`, "MB/s", samples, target))
    }
    return rows
  })
}

const withService = async (
  parent: string,
  environment: Readonly<Record<string, string>>,
  work: (service: Service) => Promise<ReadonlyArray<Row>>
) => {
  const folder = join(parent, crypto.randomUUID())
  await mkdir(folder)
  const service = await startService(folder, environment)
  try {
    return await work(service)
  } finally {
    await service.stop()
  }
}

export const upload: Benchmark = {
  name: "upload",
  about:
    "A bundle of 1 GiB as one multipart request from a raw socket. Floors in the same run, over the same disk: the same request into a bare Bun handler that writes the body to one file and syncs it; and the bare AWS client that sends 1 GiB from memory as one multipart upload, 16 MiB parts, four at once (it receives nothing, so its share of the processor is smaller).",
  run: () =>
    withFolder(async (folder) => [
      ...(await toFiles(folder)),
      ...(await withS3Server(folder, (server) => toS3(folder, server)))
    ])
}
