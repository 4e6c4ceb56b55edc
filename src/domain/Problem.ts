import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { SchemaAST as AST } from "effect"

/** What an RFC 9457 problem document says about a failure besides the failure's own fields. */
export interface ProblemDescription {
  readonly status: number
  /** snake_case and stable: what a program may branch on. */
  readonly code: string
  /** One line, the same for every occurrence. */
  readonly title: string
}

const ProblemAnnotation = Symbol.for("tracepipe/domain/Problem")

/**
 * Annotations for a `Schema.TaggedError` that may leave the service: its HTTP status, its stable
 * code and its title. The rim turns any error so annotated into a problem document.
 */
export const problem = (status: number, code: string, title: string) => ({
  [ProblemAnnotation]: { status, code, title } satisfies ProblemDescription,
  [HttpApiSchema.AnnotationStatus]: status,
  description: title
})

const annotated = (ast: AST.AST): ProblemDescription | undefined => {
  const here = ast.annotations[ProblemAnnotation]
  if (here !== undefined) return here as ProblemDescription
  return ast._tag === "Transformation" ? annotated(ast.to) : undefined
}

/** The description of an error made with {@link problem}; undefined for any other value. */
export const describe = (error: unknown): ProblemDescription | undefined => {
  if (typeof error !== "object" || error === null) return undefined
  const schema = error.constructor as { readonly ast?: AST.AST }
  return schema.ast === undefined || !AST.isTransformation(schema.ast) ? undefined : annotated(schema.ast)
}
