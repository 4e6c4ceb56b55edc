import { Schema } from "effect"
import { NotFound } from "../Errors.ts"
import { InvitationId, UserId } from "../Ids.ts"
import { Text, TimestampText } from "../Json.ts"
import { Role } from "../Principal.ts"
import { problem } from "../Problem.ts"
import { Email } from "./User.ts"

export const InvitationStatus = Schema.Literal("open", "accepted", "revoked", "expired").annotations({
  identifier: "InvitationStatus"
})
export type InvitationStatus = typeof InvitationStatus.Type

/** What somebody is asked to be in the organization. */
export class Invitation extends Schema.Class<Invitation>("Invitation")({
  id: InvitationId,
  email: Schema.String,
  role: Role,
  status: InvitationStatus,
  invited_by: Schema.NullOr(UserId),
  expires_at: TimestampText,
  accepted_at: Schema.NullOr(TimestampText),
  revoked_at: Schema.NullOr(TimestampText),
  created_at: TimestampText,
  updated_at: TimestampText
}) {}

/** An invitation as its creation answers it: the only time that `token` is shown. */
export class InvitationWithToken extends Schema.Class<InvitationWithToken>("InvitationWithToken")({
  ...Invitation.fields,
  token: Schema.String.annotations({ description: "Whoever has it can join. It cannot be read again." })
}) {}

/** Seconds: an hour, a week, 30 days. */
const [shortest, usual, longest] = [3600, 604_800, 2_592_000]

export class CreateInvitation extends Schema.Class<CreateInvitation>("CreateInvitation")(
  {
    email: Email,
    role: Role.annotations({ description: "At most your own" }),
    expires_in: Schema.optionalWith(Schema.Int.pipe(Schema.between(shortest, longest)), {
      default: () => usual
    }).annotations({ description: "Seconds until it cannot be accepted any more: a week when absent" })
  },
  // Fields with defaults hide the class's own name from the document.
  [undefined, { identifier: "CreateInvitation" }]
) {}

export class AcceptInvitation extends Schema.Class<AcceptInvitation>("AcceptInvitation")({
  token: Text(1, 200)
}) {}

export const invitationNotFound = (id: InvitationId) => new NotFound({ detail: `there is no invitation ${id}` })

/** The invitation was there, and is not any more. */
export class InvitationGone extends Schema.TaggedError<InvitationGone>("InvitationGone")(
  "InvitationGone",
  { reason: InvitationStatus },
  problem(410, "gone", "The invitation is no longer open")
) {
  override get message() {
    return `the invitation is ${this.reason}: ask for another one`
  }
}

/** Who is a member cannot join. */
export class AlreadyMember extends Schema.TaggedError<AlreadyMember>("AlreadyMember")(
  "AlreadyMember",
  { user_id: UserId },
  problem(409, "conflict", "The user is a member already")
) {
  override get message() {
    return `the user ${this.user_id} is a member of the organization already`
  }
}
