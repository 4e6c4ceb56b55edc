import { SqlClient } from "@effect/sql"
import { Clock, Duration, Effect, Schedule } from "effect"
import type { OrganizationId } from "../domain/Ids.ts"
import { ObjectStore } from "../platform/ObjectStore.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { AuditSigner } from "./AuditSigner.ts"
import * as Checkpoint from "./audit/Checkpoint.ts"
import { leafOf } from "./audit/Leaf.ts"
import { equal, Growing, isFrontier } from "./audit/Merkle.ts"
import { nodesEvery } from "./audit/Nodes.ts"
import * as SignedNote from "./audit/SignedNote.ts"
import { type Added, type Leafed, SealerRepo, type Tree } from "./SealerRepo.ts"

type Entry = typeof Leafed.Type

const every = Duration.seconds(1)

/** How long one round may write to the object store before it seals again. */
const delivering = Duration.seconds(5)

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
    const { signers, isOwn } = yield* AuditSigner

    /** Why a tree must not grow on from what is recorded of it: whoever signs that signs what somebody else wrote. */
    const wrongIn = (tree: Tree) =>
      Effect.gen(function* () {
        const { org_id, size, root, frontier, note } = tree
        if (tree.is_cut) return `leaves are recorded beyond the ${size} of its newest checkpoint`
        if (size === 0) return undefined
        if (!isFrontier(hashesIn(frontier), size, root))
          return `its frontier of ${size} entries does not lead to its root`
        const said = Checkpoint.fromNote(note)
        const isSame = said?.origin === Checkpoint.originOf(org_id) && said.size === size && equal(said.root, root)
        if (!isSame) return `the note of its checkpoint of ${size} entries says something else`
        return (yield* isOwn(org_id, tree))
          ? undefined
          : `its checkpoint of ${size} entries is not signed by the service`
      })

    const refused = (org_id: OrganizationId, wrong: string) =>
      Effect.logError(`the audit log of organization ${org_id} is not sealed, for somebody changed it: ${wrong}`)

    const addAll = (entries: ReadonlyArray<Entry>, signer: Effect.Effect.Success<typeof signers>) =>
      Effect.gen(function* () {
        const grouped = Map.groupBy(entries, ({ org_id }) => org_id)
        let sealed = 0
        for (const tree of yield* repo.trees([...grouped.keys()])) {
          const { org_id, size, frontier } = tree
          const own = grouped.get(org_id) ?? []
          const wrong = yield* wrongIn(tree)
          if (wrong === undefined) {
            yield* repo.add(added(new Growing(size, hashesIn(frontier)), own, signer(org_id), org_id))
            sealed += own.length
          } else {
            yield* repo.hold(org_id)
            yield* refused(org_id, wrong)
          }
        }
        return sealed
      })

    /** Looks again at the organizations that are held; true where one of them was put right. */
    const lookedAgain = Effect.gen(function* () {
      const right: Array<OrganizationId> = []
      for (const tree of yield* repo.trees((yield* repo.toLookAt).map(({ org_id }) => org_id))) {
        const wrong = yield* wrongIn(tree)
        if (wrong === undefined) right.push(tree.org_id)
        else yield* refused(tree.org_id, wrong)
      }
      if (right.length > 0) yield* repo.release(right)
      return right.length > 0
    })

    /** One batch; answers how many entries it sealed, and whether more may wait. */
    const batch = Effect.gen(function* () {
      const signer = yield* signers
      return yield* Effect.gen(function* () {
        yield* sql`set local statement_timeout = 0`
        if (!(yield* repo.locked)) return { sealed: 0, more: false }
        yield* repo.inOrder
        if (yield* lookedAgain) return { sealed: 0, more: true }
        const position = yield* repo.position
        const page = yield* repo.next(position, batchSize)
        const passed = new Set((yield* repo.held).map(({ org_id }) => org_id))
        const entries = page.filter(({ is_sealed, org_id }) => !is_sealed && !passed.has(org_id))
        const sealed = yield* addAll(entries, signer)
        const last = page.at(-1)
        const isFull = page.length === batchSize
        if (isFull && last !== undefined) yield* repo.advance(last.xid, last.id, position.is_ahead)
        else if (position.is_ahead) yield* repo.advance("0", null, false)
        // The horizon was read before the entries were: all below it is among them, or sealed before.
        else if (last !== undefined || position.is_far) yield* repo.advance(position.horizon, null, false)
        return { sealed, more: isFull || position.is_ahead }
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

    /**
     * Writes the newest checkpoints to the object store until none waits, or sealing has waited long enough;
     * those that it could not write are taken up again later.
     */
    const deliver = Effect.fn("AuditSealer.deliver")(function* () {
      const end = (yield* Clock.currentTimeMillis) + Duration.toMillis(delivering)
      let waiting = yield* repo.takeOut
      while (waiting.length > 0) {
        yield* Effect.forEach(waiting, delivered, { concurrency: 8, discard: true })
        waiting = (yield* Clock.currentTimeMillis) < end ? yield* repo.takeOut : []
      }
    })

    /** Seals and delivers on and on; what fails is tried again. */
    const run = Effect.zipRight(seal(), deliver()).pipe(
      Effect.catchAllCause((cause) => Effect.logWarning("the audit log could not be sealed now", cause)),
      Effect.repeat(Schedule.spaced(every))
    )

    return { seal, deliver, run } as const
  })
}) {}
