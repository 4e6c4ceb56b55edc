interface Named {
  readonly name: string
}

/** What has to happen for a list of named things to become another. */
export interface Difference<A, B> {
  readonly added: ReadonlyArray<B>
  readonly changed: ReadonlyArray<{ readonly before: A; readonly after: B }>
  readonly removed: ReadonlyArray<A>
}

/** Compares two lists, each without a name twice, by name; `same` says when nothing has to be done. */
export const difference = <A extends Named, B extends Named>(
  existing: ReadonlyArray<A>,
  wanted: ReadonlyArray<B>,
  same: (before: A, after: B) => boolean
): Difference<A, B> => {
  const before = new Map(existing.map((one) => [one.name, one]))
  const names = new Set(wanted.map(({ name }) => name))
  return {
    added: wanted.filter(({ name }) => !before.has(name)),
    changed: wanted.flatMap((after) => {
      const old = before.get(after.name)
      return old === undefined || same(old, after) ? [] : [{ before: old, after }]
    }),
    removed: existing.filter(({ name }) => !names.has(name))
  }
}

export const isEmpty = ({ added, changed, removed }: Difference<unknown, unknown>): boolean =>
  added.length + changed.length + removed.length === 0
