import { Schema } from "effect"
import { type Surface, Surface as SurfaceSchema } from "../../domain/capability/Surface.ts"

const text = (description: string) => ({ type: "string", description })
const count = (description: string) => ({ type: "integer", minimum: 1, description })

const tool = (
  name: string,
  description: string,
  properties: Readonly<Record<string, object>>,
  required: ReadonlyArray<string>
) => ({
  name,
  description,
  input_schema: { type: "object", properties, required: [...required] }
})

const parameter = (name: string, type: "STRING" | "NUMBER", description: string, required = true) => ({
  name,
  type,
  description,
  required
})

const renamed = (names: Readonly<Record<string, string>>) =>
  Object.entries(names).map(([action_parameter, tool_parameter]) => ({ action_parameter, tool_parameter }))

/** The coffee shop of the demo: what people do there, the tools that can do it, and which does what. */
export const coffeeShop: Surface = Schema.decodeUnknownSync(SurfaceSchema)({
  suite: {
    name: "Corner Coffee (demo)",
    description: "A coffee shop's ordering page",
    actions: [
      {
        name: "search_menu",
        description: "Search the menu",
        parameters: [parameter("query", "STRING", "Words to look for")]
      },
      {
        name: "add_to_cart",
        description: "Put a product into the cart",
        parameters: [
          parameter("product", "STRING", "Name of the product"),
          parameter("size", "STRING", "small, medium or large", false),
          parameter("quantity", "NUMBER", "How many", false)
        ]
      },
      {
        name: "remove_from_cart",
        description: "Take a product out of the cart",
        parameters: [parameter("product", "STRING", "Name of the product")]
      },
      {
        name: "apply_promo_code",
        description: "Use a promotion code",
        parameters: [parameter("code", "STRING", "The code")]
      },
      {
        name: "place_order",
        description: "Order what is in the cart",
        parameters: [
          parameter("name", "STRING", "Who picks it up"),
          parameter("email", "STRING", "Where the receipt goes"),
          parameter("pickup_time", "STRING", "When it is picked up")
        ]
      }
    ]
  },
  servers: [
    {
      name: "corner-coffee-mcp (demo)",
      description: "Tools of the coffee shop; described by hand, for nobody serves them",
      url: "https://coffee.example/mcp",
      tools: [
        tool("menu_search", "Find products on the menu", { q: text("Words to look for") }, ["q"]),
        tool(
          "cart_add",
          "Add a product to the cart",
          {
            item: text("Name of the product"),
            size: { type: "string", enum: ["small", "medium", "large"] },
            count: count("How many")
          },
          ["item"]
        ),
        tool("cart_remove", "Remove a product from the cart", { item: text("Name of the product") }, ["item"]),
        tool("promo_apply", "Apply a promotion code to the cart", { code: text("The code") }, ["code"]),
        tool(
          "order_create",
          "Order the cart",
          {
            customer_name: text("Who picks it up"),
            customer_email: text("Where the receipt goes"),
            pickup_at: text("When it is picked up, as HH:MM")
          },
          ["customer_name", "customer_email", "pickup_at"]
        )
      ]
    }
  ],
  maps: [
    {
      name: "corner-coffee (demo)",
      server: "corner-coffee-mcp (demo)",
      mappings: [
        { action: "search_menu", tool: "menu_search", parameters: renamed({ query: "q" }) },
        {
          action: "add_to_cart",
          tool: "cart_add",
          parameters: renamed({ product: "item", size: "size", quantity: "count" })
        },
        { action: "remove_from_cart", tool: "cart_remove", parameters: renamed({ product: "item" }) },
        { action: "apply_promo_code", tool: "promo_apply", parameters: renamed({ code: "code" }) },
        {
          action: "place_order",
          tool: "order_create",
          parameters: renamed({ name: "customer_name", email: "customer_email", pickup_time: "pickup_at" })
        }
      ]
    }
  ]
})
