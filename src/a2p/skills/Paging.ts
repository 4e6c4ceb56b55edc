import { Schema } from "effect"
import { pageFields } from "../../domain/Page.ts"

/** As lists of the API are paged, with the limit as a number. */
export const paging = {
  cursor: pageFields.cursor,
  limit: Schema.optionalWith(Schema.Int.pipe(Schema.between(1, 100)), { default: () => 20 }).annotations({
    description: "Items per page"
  })
}
