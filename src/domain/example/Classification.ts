/** What an action's parameter is, to a classifier. */
export interface ParameterSurface {
  readonly name: string
  readonly type: "STRING" | "NUMBER" | "BOOLEAN" | "OBJECT" | "ARRAY"
  readonly required: boolean
  readonly description: string
}

/** What an action is, to a classifier: the closed set that it chooses from. */
export interface ActionSurface {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly parameters: ReadonlyArray<ParameterSurface>
}

/** One action that was recognised in a session. */
export interface Classification {
  /** The name of an action of the suite; never one that is not. */
  readonly action: string
  /** By parameter name, of the types that the action declares. */
  readonly parameters: Readonly<Record<string, unknown>>
  /** 0 to 1. */
  readonly confidence: number
  /** The timeline events that say so, both inclusive. */
  readonly evidence: { readonly from_seq: number; readonly to_seq: number }
}

/** How one action becomes a call of one tool. */
export interface MappingSurface {
  readonly action: string
  readonly tool: string
  readonly parameters: ReadonlyArray<{
    readonly action_parameter: string
    /** A property's name, or a JSON pointer into the tool's arguments. */
    readonly tool_parameter: string
    readonly transform: string | null
  }>
}
