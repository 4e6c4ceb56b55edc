import { Context, type Effect } from "effect"
import type { OrganizationId, SessionId, SuiteId } from "../Ids.ts"
import type { Format } from "./Session.ts"

/** What follows from a session's becoming READY, where its suite asks for something (`on_upload`). */
export class SessionReady extends Context.Tag("domain/SessionReady")<
  SessionReady,
  {
    /** Called in the transaction that makes the session READY: what it begins is there when the session is. */
    readonly begin: (session: {
      readonly id: SessionId
      readonly org_id: OrganizationId
      readonly suite_id: SuiteId
      readonly format: Format
    }) => Effect.Effect<void>
    /** Called after that transaction: what was begun is taken up at once. */
    readonly began: Effect.Effect<void>
  }
>() {}
