import { Schema } from "effect"
import { NotFound } from "../Errors.ts"
import { ModelId, SuiteId } from "../Ids.ts"
import { Text, TimestampText } from "../Json.ts"
import { problem } from "../Problem.ts"

const BaseUrl = Text(1, 2000).pipe(
  Schema.filter((text) => /^https?:\/\//i.test(text) && URL.canParse(text), {
    message: () => "must be an http or https URL",
    jsonSchema: { format: "uri", pattern: "^[Hh][Tt][Tt][Pp][Ss]?://" },
    arbitrary: () => (fc) => fc.webUrl()
  })
)

/** Makes an example of every session that becomes READY. */
export const OnUpload = Schema.Struct({ model_id: ModelId }).annotations({
  identifier: "OnUpload",
  description:
    "Makes an example of each session of the suite as it becomes READY, by this model and the suite's only map"
})

const fields = {
  name: Text(1, 200),
  description: Text(0, 10_000),
  version: Text(0, 100),
  base_url: Schema.NullOr(BaseUrl),
  on_upload: Schema.NullOr(OnUpload)
}

/** An application that people use, and that sessions are recorded in. */
export class Suite extends Schema.Class<Suite>("Suite")({
  id: SuiteId,
  name: Schema.String,
  description: Schema.String,
  version: Schema.String,
  base_url: Schema.NullOr(Schema.String),
  on_upload: fields.on_upload,
  created_at: TimestampText,
  updated_at: TimestampText
}) {}

export class CreateSuite extends Schema.Class<CreateSuite>("CreateSuite")(
  {
    name: fields.name,
    description: Schema.optionalWith(fields.description, { default: () => "" }),
    version: Schema.optionalWith(fields.version, { default: () => "" }),
    base_url: Schema.optionalWith(fields.base_url, { default: () => null }),
    on_upload: Schema.optionalWith(fields.on_upload, { exact: true })
  },
  // Fields with defaults hide the class's own name from the document.
  [undefined, { identifier: "CreateSuite" }]
) {}

export class UpdateSuite extends Schema.Class<UpdateSuite>("UpdateSuite")({
  name: Schema.optionalWith(fields.name, { exact: true }),
  description: Schema.optionalWith(fields.description, { exact: true }),
  version: Schema.optionalWith(fields.version, { exact: true }),
  base_url: Schema.optionalWith(fields.base_url, { exact: true }),
  on_upload: Schema.optionalWith(fields.on_upload, { exact: true })
}) {}

export const suiteNotFound = (id: SuiteId) => new NotFound({ detail: `there is no suite ${id}` })

/** Names of suites are unique in their organization. */
export class SuiteNameTaken extends Schema.TaggedError<SuiteNameTaken>("SuiteNameTaken")(
  "SuiteNameTaken",
  { name: Schema.String },
  problem(409, "conflict", "A suite of this name exists")
) {
  override get message() {
    return `there is a suite named ${JSON.stringify(this.name)} already`
  }
}

/** A suite that sessions belong to cannot be deleted. */
export class SuiteInUse extends Schema.TaggedError<SuiteInUse>("SuiteInUse")(
  "SuiteInUse",
  { id: SuiteId },
  problem(409, "conflict", "The suite is in use")
) {
  override get message() {
    return `sessions belong to the suite ${this.id}: delete them first`
  }
}
