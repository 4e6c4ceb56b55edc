import { SqlClient } from "@effect/sql"
import { Duration, Effect, Schedule } from "effect"
import type { OrganizationId } from "../domain/Ids.ts"
import { ObjectStore } from "../platform/ObjectStore.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { AuditSigner } from "./AuditSigner.ts"
import * as Checkpoint from "./audit/Checkpoint.ts"
import { leafOf } from "./audit/Leaf.ts"
import { Growing } from "./audit/Merkle.ts"
import { nodesEvery } from "./audit/Nodes.ts"
import * as SignedNote from "./audit/SignedNote.ts"
import { type Added, type Leafed, SealerRepo } from "./SealerRepo.ts"

type Entry = typeof Leafed.Type

const every = Duration.seconds(1)

/** Entries of one transaction of the sealer. */
const batchSize = 1000

const hashLength = 32

const hex = (hash: Uint8Array) => Buffer.from(hash).toString("hex")

const hashesIn = (frontier: Uint8Array) =>
  Array.from({ length: frontier.length / hashLength }, (_, at) =>
    frontier.slice(at * hashLength, (at + 1) * hashLength)
  )

/** What the entries add to their organization's tree. */
const added = (
  tree: Growing,
  entries: ReadonlyArray<Entry>,
  signer: SignedNote.Signer,
  org_id: OrganizationId
): Added => {
  const leaves: Array<Added["leaves"][number]> = []
  const nodes: Array<Added["nodes"][number]> = []
  for (const entry of entries) {
    const hash = leafOf(entry)
    leaves.push({ seq: tree.size, entry_id: entry.id, at: entry.at, hash: hex(hash) })
    tree.append(hash, ({ height, index }, node) => {
      if (height % nodesEvery === 0) nodes.push({ level: height / nodesEvery, index, hash: hex(node) })
    })
  }
  const { size, root } = tree
  const note = SignedNote.sign(Checkpoint.toText({ origin: signer.name, size, root }), signer)
  const frontier = Buffer.concat(tree.frontier)
  return {
    org_id,
    leaves,
    nodes,
    checkpoint: { size, root: Buffer.from(root), frontier, note, verifier: signer.verifier }
  }
}

/**
 * Appends committed entries to the Merkle log of their organization and signs what it comes to. Any
 * number of processes may run it; a lock of the database lets one at a time do so.
 *
 * The order is that of the transactions' numbers. An entry is sealed once every transaction with a lower
 * number has ended (the horizon of the snapshot), so nothing can come in before it later; and whoever
 * began to write after somebody else had committed has the higher number and comes after. Between two
 * that overlapped, neither of which saw the other, the one that wrote first comes first. The price: a
 * transaction that stays open holds up the sealing of what was written since, wherever it is in the cluster.
 */
export class AuditSealer extends Effect.Service<AuditSealer>()("identity/AuditSealer", {
  dependencies: [SealerRepo.Default, AuditSigner.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const repo = yield* SealerRepo
    const store = yield* ObjectStore
    const { signers } = yield* AuditSigner

    const addAll = (entries: ReadonlyArray<Entry>, signer: Effect.Effect.Success<typeof signers>) =>
      Effect.gen(function* () {
        const grouped = Map.groupBy(entries, ({ org_id }) => org_id)
        const known = new Map((yield* repo.trees([...grouped.keys()])).map((tree) => [tree.org_id, tree]))
        for (const [org_id, own] of grouped) {
          const tree = known.get(org_id)
          const growing = tree === undefined ? new Growing() : new Growing(tree.size, hashesIn(tree.frontier))
          yield* repo.add(added(growing, own, signer(org_id), org_id))
        }
      })

    /** One batch; answers how many entries it sealed, and whether more may wait. */
    const batch = Effect.gen(function* () {
      const signer = yield* signers
      return yield* Effect.gen(function* () {
        yield* sql`set local statement_timeout = 0`
        if (!(yield* repo.locked)) return { sealed: 0, more: false }
        yield* repo.inOrder
        const position = yield* repo.position
        const page = yield* repo.next(position, batchSize)
        const entries = page.filter(({ is_sealed }) => !is_sealed)
        yield* addAll(entries, signer)
        const last = page.at(-1)
        const isFull = page.length === batchSize
        if (isFull && last !== undefined) yield* repo.advance(last.xid, last.id, position.is_ahead)
        else if (position.is_ahead) yield* repo.advance("0", null, false)
        // The horizon was read before the entries were: all below it is among them, or sealed before.
        else if (last !== undefined || position.is_far) yield* repo.advance(position.horizon, null, false)
        return { sealed: entries.length, more: isFull || position.is_ahead }
      }).pipe(sql.withTransaction, orDefect)
    })

    const delivered = ({
      org_id,
      size,
      note
    }: {
      readonly org_id: OrganizationId
      readonly size: number
      readonly note: string
    }) =>
      Effect.gen(function* () {
        const bytes = Buffer.from(note)
        const objects = yield* store.batch(`orgs/${org_id}/audit/`)
        const writer = yield* objects.writer(`${size}.txt`, { content_type: "text/plain", size_hint: bytes.length })
        yield* writer.write(bytes)
        yield* writer.end
        yield* objects.commit
        yield* repo.delivered(org_id, size)
      }).pipe(
        Effect.scoped,
        Effect.catchAll((error) =>
          Effect.logWarning(`a checkpoint of the audit log is not in the object store yet: ${error.message}`)
        )
      )

    /** Seals all that can be sealed now, or what so many batches hold of it; answers how many entries that were. */
    const seal = Effect.fn("AuditSealer.seal")(function* (batches = Number.POSITIVE_INFINITY) {
      let sealed = 0
      let more = yield* repo.isDue
      for (let count = 0; more && count < batches; count++) {
        const done = yield* batch
        sealed += done.sealed
        more = done.more
      }
      return sealed
    })

    /** Writes checkpoints to the object store; those that it could not write are taken up again later. */
    const deliver = Effect.fn("AuditSealer.deliver")(function* () {
      yield* Effect.forEach(yield* repo.takeOut, delivered, { concurrency: 8, discard: true })
    })

    /** Seals and delivers on and on; what fails is tried again. */
    const run = Effect.zipRight(seal(), deliver()).pipe(
      Effect.catchAllCause((cause) => Effect.logWarning("the audit log could not be sealed now", cause)),
      Effect.repeat(Schedule.spaced(every))
    )

    return { seal, deliver, run } as const
  })
}) {}
