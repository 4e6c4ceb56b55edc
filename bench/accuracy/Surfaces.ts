// What the applications' suites say, as somebody writes them who knows the application and not the recordings.
import type { AppName } from "./Apps.ts"

type Type = "STRING" | "NUMBER" | "BOOLEAN"

interface ParameterText {
  readonly name: string
  readonly type: Type
  readonly required: boolean
  readonly description: string
}

interface ActionText {
  readonly name: string
  readonly description: string
  readonly parameters: ReadonlyArray<ParameterText>
}

const parameter = (name: string, type: Type, required: boolean, description: string): ParameterText => ({
  name,
  type,
  required,
  description
})

const action = (name: string, description: string, ...parameters: ReadonlyArray<ParameterText>): ActionText => ({
  name,
  description,
  parameters
})

const suites: Readonly<Record<AppName, ReadonlyArray<ActionText>>> = {
  coffee: [
    action("search_menu", "Search the menu", parameter("query", "STRING", true, "Words to look for")),
    action(
      "add_to_cart",
      "Put a product into the cart",
      parameter("product", "STRING", true, "Name of the product"),
      parameter("size", "STRING", false, "small, medium or large"),
      parameter("quantity", "NUMBER", false, "How many")
    ),
    action(
      "remove_from_cart",
      "Take a product out of the cart",
      parameter("product", "STRING", true, "Name of the product")
    ),
    action("apply_promo_code", "Use a promotion code", parameter("code", "STRING", true, "The code")),
    action(
      "place_order",
      "Order what is in the cart",
      parameter("name", "STRING", true, "Who picks it up"),
      parameter("email", "STRING", true, "Where the receipt goes"),
      parameter("pickup_time", "STRING", true, "When it is picked up")
    )
  ],
  tracker: [
    action("search_issues", "Search the issues", parameter("query", "STRING", true, "Words of the title")),
    action(
      "create_issue",
      "Report a new issue",
      parameter("title", "STRING", true, "One line"),
      parameter("description", "STRING", false, "Everything else"),
      parameter("priority", "STRING", false, "low, normal, high or urgent")
    ),
    action(
      "change_status",
      "Move an issue to another status",
      parameter("issue_id", "NUMBER", true, "Number of the issue"),
      parameter("status", "STRING", true, "open, in progress, in review or done")
    ),
    action(
      "assign_issue",
      "Give an issue to somebody",
      parameter("issue_id", "NUMBER", true, "Number of the issue"),
      parameter("assignee", "STRING", true, "Who works on it")
    ),
    action(
      "add_comment",
      "Comment on an issue",
      parameter("issue_id", "NUMBER", true, "Number of the issue"),
      parameter("text", "STRING", true, "The comment")
    ),
    action("delete_issue", "Delete an issue", parameter("issue_id", "NUMBER", true, "Number of the issue"))
  ],
  hotels: [
    action(
      "search_hotels",
      "Find hotels in a city",
      parameter("city", "STRING", true, "Where"),
      parameter("check_in", "STRING", true, "First night, as YYYY-MM-DD"),
      parameter("check_out", "STRING", true, "Day of departure, as YYYY-MM-DD"),
      parameter("guests", "NUMBER", false, "How many people")
    ),
    action("save_hotel", "Add a hotel to the favourites", parameter("hotel", "STRING", true, "Name of the hotel")),
    action(
      "book_hotel",
      "Book a room",
      parameter("hotel", "STRING", true, "Name of the hotel"),
      parameter("guest_name", "STRING", true, "Who stays"),
      parameter("email", "STRING", true, "Where the confirmation goes")
    ),
    action("cancel_booking", "Cancel a booking", parameter("booking_id", "STRING", true, "Number of the booking")),
    action(
      "review_hotel",
      "Post a review of a stay",
      parameter("hotel", "STRING", true, "Name of the hotel"),
      parameter("rating", "NUMBER", true, "1 to 5 stars"),
      parameter("comment", "STRING", false, "What to tell others")
    )
  ],
  team: [
    action("sign_in", "Sign in", parameter("email", "STRING", true, "Who")),
    action("sign_out", "Sign out"),
    action(
      "invite_member",
      "Invite somebody to the team",
      parameter("email", "STRING", true, "Whom"),
      parameter("role", "STRING", false, "member or admin")
    ),
    action(
      "update_member",
      "Change a member's details",
      parameter("member_id", "STRING", true, "Id of the member"),
      parameter("display_name", "STRING", false, "The name that others see"),
      parameter("phone", "STRING", false, "Telephone number"),
      parameter("team", "STRING", false, "design, engineering or sales")
    ),
    action("remove_member", "Remove a member", parameter("member_id", "STRING", true, "Id of the member")),
    action("export_members", "Download the list of members"),
    action(
      "set_notifications",
      "Turn email notifications on or off",
      parameter("enabled", "BOOLEAN", true, "On or off")
    )
  ]
}

const jsonTypes: Readonly<Record<Type, string>> = { STRING: "string", NUMBER: "number", BOOLEAN: "boolean" }

const tool = ({ name, description, parameters }: ActionText) => ({
  name,
  description,
  input_schema: {
    type: "object",
    properties: Object.fromEntries(
      parameters.map(({ name, type, description }) => [name, { type: jsonTypes[type], description }])
    ),
    required: parameters.filter(({ required }) => required).map(({ name }) => name)
  }
})

const mapping = ({ name, parameters }: ActionText) => ({
  action: name,
  tool: name,
  parameters: parameters.map(({ name }) => ({ action_parameter: name, tool_parameter: name }))
})

/** The application's surface, as `PUT /v1/suites`, `/v1/mcp/servers` and `/v1/action-tool-maps` take it; tools are named after actions. */
export const surfaceOf = (app: AppName) => {
  const actions = suites[app]
  return {
    suite: { name: app, actions },
    server: { name: `${app}-server`, url: `https://${app}.example/mcp`, tools: actions.map(tool) },
    map: { suite: app, server: `${app}-server`, name: `${app}-map`, mappings: actions.map(mapping) }
  }
}
