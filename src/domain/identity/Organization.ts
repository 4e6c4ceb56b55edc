import { Schema } from "effect"
import { NotFound } from "../Errors.ts"
import { OrganizationId } from "../Ids.ts"
import { JsonObject, Text, TimestampText } from "../Json.ts"
import { problem } from "../Problem.ts"

/** Most bytes of an organization's settings, as JSON. */
const maxSettingsBytes = 16 * 1024

/** Those who work together, and all that is theirs. */
export class Organization extends Schema.Class<Organization>("Organization")({
  id: OrganizationId,
  slug: Schema.String,
  name: Schema.String,
  settings: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
  created_at: TimestampText,
  updated_at: TimestampText
}) {}

const slugPattern = /^[a-z0-9][a-z0-9-]{0,62}$/

const fields = {
  slug: Schema.String.pipe(
    Schema.pattern(slugPattern, {
      message: () => "must be 1 to 63 small letters, digits and hyphens, and begin with no hyphen",
      arbitrary: () => (fc) => fc.stringMatching(slugPattern)
    })
  ).annotations({ description: "Its short name, which no other organization has" }),
  name: Text(1, 200),
  settings: JsonObject(maxSettingsBytes).annotations({ description: "Whatever is to be kept with it: 16 KiB at most" })
}

export class CreateOrganization extends Schema.Class<CreateOrganization>("CreateOrganization")({
  slug: fields.slug,
  name: fields.name,
  settings: Schema.optionalWith(fields.settings, { exact: true })
}) {}

export class UpdateOrganization extends Schema.Class<UpdateOrganization>("UpdateOrganization")({
  slug: Schema.optionalWith(fields.slug, { exact: true }),
  name: Schema.optionalWith(fields.name, { exact: true }),
  settings: Schema.optionalWith(fields.settings, { exact: true })
}) {}

export const organizationNotFound = (id: OrganizationId) => new NotFound({ detail: `there is no organization ${id}` })

/** Slugs are unique among all organizations. */
export class SlugTaken extends Schema.TaggedError<SlugTaken>("SlugTaken")(
  "SlugTaken",
  { slug: Schema.String },
  problem(409, "conflict", "An organization of this slug exists")
) {
  override get message() {
    return `there is an organization ${JSON.stringify(this.slug)} already`
  }
}

/** Nobody owns organizations without end. */
export class TooManyOrganizations extends Schema.TaggedError<TooManyOrganizations>("TooManyOrganizations")(
  "TooManyOrganizations",
  { limit: Schema.Int },
  problem(409, "conflict", "The user owns as many organizations as one may")
) {
  override get message() {
    return `a user owns at most ${this.limit} organizations: delete one first`
  }
}

/** An organization that still has something recorded or described cannot be deleted. */
export class OrganizationInUse extends Schema.TaggedError<OrganizationInUse>("OrganizationInUse")(
  "OrganizationInUse",
  { id: OrganizationId, holds: Schema.String },
  problem(409, "conflict", "The organization is in use")
) {
  override get message() {
    return `the organization ${this.id} still has ${this.holds}: end or delete them first`
  }
}

/** Nobody is left without an organization. */
export class LastOrganization extends Schema.TaggedError<LastOrganization>("LastOrganization")(
  "LastOrganization",
  { id: OrganizationId },
  problem(409, "conflict", "The user has no other organization")
) {
  override get message() {
    return `${this.id} is your only organization: make or join another one first`
  }
}
