/** One step of the paths that a reader looks for: what is below it, by member or as array elements. */
export interface PathNode {
  /** `log.entries[*]`; empty at the root. */
  readonly path: string
  items?: PathNode
  members?: Map<string, PathNode>
}

const child = (node: PathNode, step: string): PathNode => {
  if (step === "[*]") {
    node.items ??= { path: `${node.path}[*]` }
    return node.items
  }
  node.members ??= new Map()
  const known = node.members.get(step)
  if (known !== undefined) return known
  const made: PathNode = { path: node.path === "" ? step : `${node.path}.${step}` }
  node.members.set(step, made)
  return made
}

/** Reads paths such as `log.entries[*]` and `[*].traj[*]` into one tree. Each ends in `[*]`. */
export const pathTree = (paths: ReadonlyArray<string>): PathNode => {
  const root: PathNode = { path: "" }
  for (const path of paths) {
    let node = root
    for (const step of path.match(/\[\*\]|[^.[]+/g) ?? []) node = child(node, step)
  }
  return root
}
