import type { Principal } from "../../domain/Principal.ts"
import type { RequestInfo } from "../../domain/RequestInfo.ts"

/** Who sends a message, and the request that it came with. */
export interface Caller {
  readonly principal: Principal
  readonly info: typeof RequestInfo.Service
  /** Counts so many further messages of the same request on the caller's limits; rejects when these are reached. */
  readonly charge: (messages: number) => Promise<void>
  /** Keeps a shutdown from ending before what it answers is called. */
  readonly hold: () => () => void
}

/** The same in the one field that the SDKs of both eras hand on to their handlers as it is. */
interface CallerInfo {
  token: string
  clientId: string
  scopes: Array<string>
  extra: { readonly caller: Caller; readonly version: string }
}

/**
 * No credential stands in it: it was checked before, and no handler needs it.
 * @param version the version of the protocol that client and server agreed on
 */
export const callerInfo = (caller: Caller, version: string): CallerInfo => ({
  token: "",
  clientId: principalName(caller.principal),
  scopes: [...caller.principal.scopes],
  extra: { caller, version }
})

/** The caller that `callerInfo` put there. */
export const callerOf = (info: { readonly extra?: Readonly<Record<string, unknown>> } | undefined): Caller => {
  const caller = info?.extra?.["caller"]
  if (caller === undefined) throw new Error("a message without a caller reached a handler")
  // Nobody else fills this field.
  return caller as Caller
}

/** The version that `callerInfo` put there: dates, which are ordered as texts are. */
export const versionOf = (info: { readonly extra?: Readonly<Record<string, unknown>> } | undefined): string =>
  String(info?.extra?.["version"])

/** Whose the sessions are: one person or agent in one organization, with whichever of their credentials. */
export const principalName = ({ org_id, agent_id, user_id, key_id }: Principal): string =>
  `${org_id}/${agent_id === null ? (user_id === null ? `key/${key_id}` : `user/${user_id}`) : `agent/${agent_id}`}`
