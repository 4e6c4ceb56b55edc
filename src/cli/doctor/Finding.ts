/** What one check found: in one line what is so, and what to do about it where something is. */
export interface Finding {
  readonly status: "ok" | "warn" | "fail"
  readonly what: string
  readonly todo?: string | undefined
}

export const ok = (what: string): Finding => ({ status: "ok", what })

export const warn = (what: string, todo: string): Finding => ({ status: "warn", what, todo })

export const fail = (what: string, todo?: string): Finding => ({ status: "fail", what, todo })

/** `warn  what — what to do` */
export const line = ({ status, what, todo }: Finding): string =>
  `${status.padEnd(4)}  ${what}${todo === undefined ? "" : ` — ${todo}`}`.replaceAll(/\s*\n\s*/g, " ")
