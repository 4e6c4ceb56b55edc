// What people do in the applications, and what they meant by it: the labels.
import type { Page } from "playwright-core"
import type { AppName } from "./Apps.ts"

/** One thing that was done, in the terms of the suite. */
export interface Label {
  readonly action: string
  readonly parameters: Readonly<Record<string, unknown>>
}

export interface Script {
  readonly name: string
  readonly app: AppName
  readonly description: string
  readonly use: (page: Page) => Promise<void>
  readonly labels: ReadonlyArray<Label>
}

const script = (
  app: AppName,
  name: string,
  description: string,
  use: (page: Page) => Promise<void>,
  labels: ReadonlyArray<readonly [action: string, parameters: Readonly<Record<string, unknown>>]>
): Script => ({
  app,
  name: `${app}-${name}`,
  description,
  use,
  labels: labels.map(([action, parameters]) => ({ action, parameters }))
})

const settled = (page: Page) => page.waitForLoadState("networkidle")

/** Types as a person does: into the field that has the focus, key by key. */
const type = async (page: Page, selector: string, text: string) => {
  await page.click(selector)
  await page.keyboard.type(text, { delay: 8 })
}

const card = (product: string) => `article:has(h3:text-is("${product}"))`
const row = (id: number) => `tr[data-id="${id}"]`
const hotel = (name: string) => `.hotel:has(b:text-is("${name}"))`
const person = (name: string) => `#people li:has-text("${name}")`

const search = async (page: Page, city: string, check_in: string, check_out: string, guests?: string) => {
  await type(page, "[name=city]", city)
  await page.fill("[name=check_in]", check_in)
  await page.fill("[name=check_out]", check_out)
  if (guests !== undefined) {
    await page.fill("[name=guests]", "")
    await type(page, "[name=guests]", guests)
  }
  await page.click("text=Find hotels")
  await settled(page)
}

const book = async (page: Page, name: string, guest: string, email: string) => {
  await page.click(`${hotel(name)} >> text=Select`)
  await type(page, "[name=guest_name]", guest)
  await type(page, "#booking [name=email]", email)
  await type(page, "[name=card_number]", "4242424242424242")
  await page.click("text=Book now")
  await settled(page)
}

const signIn = async (page: Page, email: string) => {
  await type(page, "#login-email", email)
  await page.keyboard.press("Tab")
  await page.keyboard.type("correct horse", { delay: 8 })
  await page.click("#login button")
  await settled(page)
}

const order = async (page: Page, name: string, email: string, time: string) => {
  await page.click("#open-checkout")
  await type(page, "#checkout [name=name]", name)
  await type(page, "#checkout [name=email]", email)
  await page.selectOption("[name=pickup_time]", time)
  await page.click("text=Place order")
  await settled(page)
}

const createIssue = async (page: Page, title: string, description: string, priority?: string) => {
  await page.click("#new")
  await type(page, "[name=title]", title)
  if (description !== "") await type(page, "[name=description]", description)
  if (priority !== undefined) await page.selectOption("[name=priority]", priority)
  await page.click("#create button[type=submit]")
  await settled(page)
}

export const scripts: ReadonlyArray<Script> = [
  script(
    "coffee",
    "two-drinks",
    "Order a large latte and two espressos for half past eight",
    async (page) => {
      await page.selectOption(`${card("Caffè Latte")} .size`, "large")
      await page.click(`${card("Caffè Latte")} .add`)
      await settled(page)
      await page.fill(`${card("Espresso")} .quantity`, "2")
      await page.click(`${card("Espresso")} .add`)
      await settled(page)
      await order(page, "Ruth Okafor", "ruth@example.com", "08:30")
    },
    [
      ["add_to_cart", { product: "Caffè Latte", size: "large", quantity: 1 }],
      ["add_to_cart", { product: "Espresso", size: "medium", quantity: 2 }],
      ["place_order", { name: "Ruth Okafor", email: "ruth@example.com", pickup_time: "08:30" }]
    ]
  ),
  script(
    "coffee",
    "changes-mind",
    "Put a cold brew into the cart, take it out again, and have a flat white instead",
    async (page) => {
      await page.mouse.wheel(0, 400)
      await page.click(`${card("Cold Brew")} .add`)
      await settled(page)
      await page.click("#cart .remove")
      await settled(page)
      await page.click("h1")
      await page.click(`${card("Flat White")} .add`)
      await settled(page)
      await page.click("#open-checkout")
      await page.click("#back")
      await order(page, "Tom", "tom@example.org", "12:15")
    },
    [
      ["add_to_cart", { product: "Cold Brew", size: "medium", quantity: 1 }],
      ["remove_from_cart", { product: "Cold Brew" }],
      ["add_to_cart", { product: "Flat White", size: "medium", quantity: 1 }],
      ["place_order", { name: "Tom", email: "tom@example.org", pickup_time: "12:15" }]
    ]
  ),
  script(
    "coffee",
    "promo",
    "Search for banana bread, add three and use the promo code AUTUMN",
    async (page) => {
      await type(page, "#q", "banana")
      await settled(page)
      await page.waitForSelector(`${card("Caffè Latte")}`, { state: "detached" })
      await page.fill(`${card("Banana Bread")} .quantity`, "3")
      await page.click(`${card("Banana Bread")} .add`)
      await settled(page)
      await type(page, "[name=code]", "AUTUMN")
      await page.keyboard.press("Enter")
      await settled(page)
    },
    [
      ["search_menu", { query: "banana" }],
      ["add_to_cart", { product: "Banana Bread", size: "medium", quantity: 3 }],
      ["apply_promo_code", { code: "AUTUMN" }]
    ]
  ),
  script(
    "coffee",
    "typo",
    "Order an espresso for nine; the name is corrected while typing",
    async (page) => {
      await page.selectOption(`${card("Espresso")} .size`, "small")
      await page.click(`${card("Espresso")} .add`)
      await settled(page)
      await page.click("#open-checkout")
      await type(page, "#checkout [name=name]", "Annna")
      for (let i = 0; i < 2; i++) await page.keyboard.press("Backspace")
      await page.keyboard.type("a Lee", { delay: 8 })
      await type(page, "#checkout [name=email]", "anna.lee@example.com")
      await page.selectOption("[name=pickup_time]", "09:00")
      await page.click("text=Place order")
      await settled(page)
    },
    [
      ["add_to_cart", { product: "Espresso", size: "small", quantity: 1 }],
      ["place_order", { name: "Anna Lee", email: "anna.lee@example.com", pickup_time: "09:00" }]
    ]
  ),
  script(
    "coffee",
    "breakfast",
    "Breakfast for the team: four croissants, two lattes, with the code TEAM10",
    async (page) => {
      await page.fill(`${card("Almond Croissant")} .quantity`, "4")
      await page.click(`${card("Almond Croissant")} .add`)
      await settled(page)
      await page.fill(`${card("Caffè Latte")} .quantity`, "2")
      await page.selectOption(`${card("Caffè Latte")} .size`, "small")
      await page.click(`${card("Caffè Latte")} .add`)
      await settled(page)
      await type(page, "[name=code]", "TEAM10")
      await page.click("#promo button")
      await settled(page)
      await order(page, "Ines", "ines@example.com", "08:00")
    },
    [
      ["add_to_cart", { product: "Almond Croissant", size: "medium", quantity: 4 }],
      ["add_to_cart", { product: "Caffè Latte", size: "small", quantity: 2 }],
      ["apply_promo_code", { code: "TEAM10" }],
      ["place_order", { name: "Ines", email: "ines@example.com", pickup_time: "08:00" }]
    ]
  ),
  script(
    "coffee",
    "empties",
    "Add two things and throw both out again",
    async (page) => {
      await page.click(`${card("Espresso")} .add`)
      await settled(page)
      await page.click(`${card("Banana Bread")} .add`)
      await settled(page)
      await page.click("#cart li:nth-child(2) .remove")
      await settled(page)
      await page.click("#cart li:nth-child(1) .remove")
      await settled(page)
    },
    [
      ["add_to_cart", { product: "Espresso", size: "medium", quantity: 1 }],
      ["add_to_cart", { product: "Banana Bread", size: "medium", quantity: 1 }],
      ["remove_from_cart", { product: "Banana Bread" }],
      ["remove_from_cart", { product: "Espresso" }]
    ]
  ),
  script(
    "coffee",
    "by-search",
    "Look for something with almond, take two, pick up at nine",
    async (page) => {
      await type(page, "#q", "almo")
      await settled(page)
      await page.waitForSelector(card("Espresso"), { state: "detached" })
      await page.fill(`${card("Almond Croissant")} .quantity`, "2")
      await page.click(`${card("Almond Croissant")} .add`)
      await settled(page)
      await order(page, "Yuki Tan", "yuki@example.com", "09:00")
    },
    [
      ["search_menu", { query: "almo" }],
      ["add_to_cart", { product: "Almond Croissant", size: "medium", quantity: 2 }],
      ["place_order", { name: "Yuki Tan", email: "yuki@example.com", pickup_time: "09:00" }]
    ]
  ),
  script(
    "coffee",
    "one-espresso",
    "One small espresso",
    async (page) => {
      await page.click(`${card("Espresso")} .size`)
      await page.selectOption(`${card("Espresso")} .size`, "small")
      await page.keyboard.press("Escape")
      await page.click(`${card("Espresso")} .add`)
      await settled(page)
    },
    [["add_to_cart", { product: "Espresso", size: "small", quantity: 1 }]]
  ),
  script(
    "coffee",
    "wrong-code",
    "Try two promo codes on a cold brew, then order",
    async (page) => {
      await page.selectOption(`${card("Cold Brew")} .size`, "large")
      await page.click(`${card("Cold Brew")} .add`)
      await settled(page)
      await type(page, "[name=code]", "SUMER")
      await page.click("#promo button")
      await settled(page)
      await page.fill("[name=code]", "")
      await type(page, "[name=code]", "SUMMER")
      await page.click("#promo button")
      await settled(page)
      await order(page, "Femi", "femi@example.com", "12:15")
    },
    [
      ["add_to_cart", { product: "Cold Brew", size: "large", quantity: 1 }],
      ["apply_promo_code", { code: "SUMER" }],
      ["apply_promo_code", { code: "SUMMER" }],
      ["place_order", { name: "Femi", email: "femi@example.com", pickup_time: "12:15" }]
    ]
  ),
  script(
    "coffee",
    "swap",
    "Swap a croissant for banana bread",
    async (page) => {
      await page.click(`${card("Almond Croissant")} .add`)
      await settled(page)
      await page.click("#cart .remove")
      await settled(page)
      await page.mouse.wheel(0, 500)
      await page.click(`${card("Banana Bread")} .add`)
      await settled(page)
      await order(page, "Sam Reed", "sam@example.com", "08:00")
    },
    [
      ["add_to_cart", { product: "Almond Croissant", size: "medium", quantity: 1 }],
      ["remove_from_cart", { product: "Almond Croissant" }],
      ["add_to_cart", { product: "Banana Bread", size: "medium", quantity: 1 }],
      ["place_order", { name: "Sam Reed", email: "sam@example.com", pickup_time: "08:00" }]
    ]
  ),
  script(
    "tracker",
    "report",
    "Report that the calendar forgets time zones, urgently, and give it to grace",
    async (page) => {
      await createIssue(page, "Calendar forgets time zones", "Meetings move by an hour when one travels.", "urgent")
      await page.selectOption(`${row(104)} .assignee`, "grace")
      await settled(page)
    },
    [
      [
        "create_issue",
        {
          title: "Calendar forgets time zones",
          description: "Meetings move by an hour when one travels.",
          priority: "urgent"
        }
      ],
      ["assign_issue", { issue_id: 104, assignee: "grace" }]
    ]
  ),
  script(
    "tracker",
    "triage",
    "Go through the open issues: the login page to review, the export to linus, the typo is done",
    async (page) => {
      await page.selectOption(`${row(101)} .status`, "in review")
      await settled(page)
      await page.selectOption(`${row(102)} .assignee`, "linus")
      await settled(page)
      await page.selectOption(`${row(103)} .status`, "done")
      await settled(page)
    },
    [
      ["change_status", { issue_id: 101, status: "in review" }],
      ["assign_issue", { issue_id: 102, assignee: "linus" }],
      ["change_status", { issue_id: 103, status: "done" }]
    ]
  ),
  script(
    "tracker",
    "comment",
    "Find the export issue and say that it was measured",
    async (page) => {
      await type(page, "[name=q]", "export")
      await page.click("#find button")
      await settled(page)
      await page.click(`${row(102)} .title`)
      await settled(page)
      await type(page, "[name=text]", "Measured: 4 minutes for 10,000 rows.")
      await page.click("#comment button")
      await settled(page)
    },
    [
      ["search_issues", { query: "export" }],
      ["add_comment", { issue_id: 102, text: "Measured: 4 minutes for 10,000 rows." }]
    ]
  ),
  script(
    "tracker",
    "second-thoughts",
    "Begin an issue, cancel it, delete the typo one and write a better one",
    async (page) => {
      await page.click("#new")
      await type(page, "[name=title]", "Footer")
      await page.click("#discard")
      await page.click(`${row(103)} .delete`)
      await settled(page)
      await page.click("#new")
      await page.fill("[name=title]", "")
      await type(page, "[name=title]", "Footer says 2019")
      await page.selectOption("[name=priority]", "low")
      await page.keyboard.press("Tab")
      await page.click("#create button[type=submit]")
      await settled(page)
    },
    [
      ["delete_issue", { issue_id: 103 }],
      ["create_issue", { title: "Footer says 2019", priority: "low" }]
    ]
  ),
  script(
    "tracker",
    "conversation",
    "Answer in the login issue twice, then take it",
    async (page) => {
      await page.click("text=Mine")
      await page.click("text=All issues")
      await page.click(`${row(101)} .title`)
      await settled(page)
      await type(page, "[name=text]", "Which version of Safari?")
      await page.click("#comment button")
      await settled(page)
      await type(page, "[name=text]", "Reproduced on 17.4.")
      await page.click("#comment button")
      await settled(page)
      await page.selectOption(`${row(101)} .assignee`, "grace")
      await settled(page)
    },
    [
      ["add_comment", { issue_id: 101, text: "Which version of Safari?" }],
      ["add_comment", { issue_id: 101, text: "Reproduced on 17.4." }],
      ["assign_issue", { issue_id: 101, assignee: "grace" }]
    ]
  ),
  script(
    "tracker",
    "by-keyboard",
    "Search by keyboard and start work on the login issue",
    async (page) => {
      await type(page, "[name=q]", "safari")
      await page.keyboard.press("Enter")
      await settled(page)
      await page.selectOption(`${row(101)} .status`, "in progress")
      await settled(page)
      await createIssue(page, "Test on older browsers", "")
    },
    [
      ["search_issues", { query: "safari" }],
      ["change_status", { issue_id: 101, status: "in progress" }],
      ["create_issue", { title: "Test on older browsers", priority: "normal" }]
    ]
  ),
  script(
    "hotels",
    "lisbon",
    "Book the Harbour Inn in Lisbon for three in May",
    async (page) => {
      await search(page, "Lisbon", "2027-05-03", "2027-05-07", "3")
      await book(page, "Harbour Inn", "Carla Reyes", "carla@example.com")
    },
    [
      ["search_hotels", { city: "Lisbon", check_in: "2027-05-03", check_out: "2027-05-07", guests: 3 }],
      ["book_hotel", { hotel: "Harbour Inn", guest_name: "Carla Reyes", email: "carla@example.com" }]
    ]
  ),
  script(
    "hotels",
    "compares",
    "Look at Oslo, keep two hotels in mind and book the dearer one",
    async (page) => {
      await search(page, "Oslo", "2027-02-11", "2027-02-12")
      await page.click(`${hotel("Grand Plaza")} .save`)
      await settled(page)
      await page.click(`${hotel("Casa Verde")} .save`)
      await settled(page)
      await page.mouse.wheel(0, 300)
      await book(page, "Casa Verde", "Nils Berg", "nils@example.no")
    },
    [
      ["search_hotels", { city: "Oslo", check_in: "2027-02-11", check_out: "2027-02-12", guests: 2 }],
      ["save_hotel", { hotel: "Grand Plaza" }],
      ["save_hotel", { hotel: "Casa Verde" }],
      ["book_hotel", { hotel: "Casa Verde", guest_name: "Nils Berg", email: "nils@example.no" }]
    ]
  ),
  script(
    "hotels",
    "cancels",
    "Book in Rome and cancel at once",
    async (page) => {
      await search(page, "Rome", "2027-06-01", "2027-06-02")
      await book(page, "Grand Plaza", "Ola Dahl", "ola@example.com")
      await page.click("#trips button")
      await settled(page)
    },
    [
      ["search_hotels", { city: "Rome", check_in: "2027-06-01", check_out: "2027-06-02", guests: 2 }],
      ["book_hotel", { hotel: "Grand Plaza", guest_name: "Ola Dahl", email: "ola@example.com" }],
      ["cancel_booking", { booking_id: "B7001" }]
    ]
  ),
  script(
    "hotels",
    "review",
    "Review the Casa Verde in Porto with four stars",
    async (page) => {
      await page.click("#help")
      await search(page, "Porto", "2027-03-01", "2027-03-04", "1")
      await page.click(`${hotel("Casa Verde")} .rate`)
      await page.click("[aria-label='4 stars']")
      await type(page, "#words", "Quiet, and the garden is lovely.")
      await page.click("#post")
      await settled(page)
    },
    [
      ["search_hotels", { city: "Porto", check_in: "2027-03-01", check_out: "2027-03-04", guests: 1 }],
      ["review_hotel", { hotel: "Casa Verde", rating: 4, comment: "Quiet, and the garden is lovely." }]
    ]
  ),
  script(
    "hotels",
    "two-trips",
    "Two trips: Madrid for one, then Paris for two, the first is cancelled",
    async (page) => {
      await search(page, "Madrid", "2027-04-01", "2027-04-03", "1")
      await book(page, "Harbour Inn", "Lea Roth", "lea@example.de")
      await page.fill("[name=city]", "")
      await page.fill("[name=guests]", "")
      await search(page, "Paris", "2027-09-10", "2027-09-12", "2")
      await page.click(`${hotel("Grand Plaza")} >> text=Select`)
      await page.fill("[name=guest_name]", "Lea Roth")
      await page.click("text=Book now")
      await settled(page)
      await page.click("#trips p:nth-child(1) button")
      await settled(page)
    },
    [
      ["search_hotels", { city: "Madrid", check_in: "2027-04-01", check_out: "2027-04-03", guests: 1 }],
      ["book_hotel", { hotel: "Harbour Inn", guest_name: "Lea Roth", email: "lea@example.de" }],
      ["search_hotels", { city: "Paris", check_in: "2027-09-10", check_out: "2027-09-12", guests: 2 }],
      ["book_hotel", { hotel: "Grand Plaza", guest_name: "Lea Roth", email: "lea@example.de" }],
      ["cancel_booking", { booking_id: "B7001" }]
    ]
  ),
  script(
    "team",
    "invite",
    "Sign in and invite a new admin",
    async (page) => {
      await signIn(page, "boss@example.com")
      await page.click("text=Invite…")
      await type(page, "#invite [name=email]", "kim@example.com")
      await page.check("[value=admin]")
      await page.click("text=Send invitation")
      await settled(page)
    },
    [
      ["sign_in", { email: "boss@example.com" }],
      ["invite_member", { email: "kim@example.com", role: "admin" }]
    ]
  ),
  script(
    "team",
    "moves",
    "Ana moves to design and gets a phone number",
    async (page) => {
      await signIn(page, "boss@example.com")
      await page.click(`${person("Ana Ortiz")} .edit`)
      await type(page, "[name=phone]", "+44 20 7946 0199")
      await page.selectOption("[name=team]", "design")
      await page.click("text=Save changes")
      await settled(page)
    },
    [
      ["sign_in", { email: "boss@example.com" }],
      ["update_member", { member_id: "u-33", phone: "+44 20 7946 0199", team: "design" }]
    ]
  ),
  script(
    "team",
    "leaver",
    "Jon leaves: remove him, download the list, log out",
    async (page) => {
      await signIn(page, "hr@example.com")
      await page.click(`${person("Mira Stone")} .edit`)
      await page.click("#undo")
      await page.click(`${person("Jon Hale")} .drop`)
      await settled(page)
      await page.click("#export")
      await settled(page)
      await page.click("#out")
      await settled(page)
    },
    [
      ["sign_in", { email: "hr@example.com" }],
      ["remove_member", { member_id: "u-32" }],
      ["export_members", {}],
      ["sign_out", {}]
    ]
  ),
  script(
    "team",
    "settings",
    "Turn notifications on, rename Mira",
    async (page) => {
      await signIn(page, "mira@example.com")
      await page.click(".switch")
      await settled(page)
      await page.click(`${person("Mira Stone")} .edit`)
      await page.fill("[name=display_name]", "")
      await type(page, "[name=display_name]", "Mira Stone-Vale")
      await page.click("text=Save changes")
      await settled(page)
      await page.click("#out")
      await settled(page)
    },
    [
      ["sign_in", { email: "mira@example.com" }],
      ["set_notifications", { enabled: true }],
      ["update_member", { member_id: "u-31", display_name: "Mira Stone-Vale" }],
      ["sign_out", {}]
    ]
  ),
  script(
    "team",
    "several",
    "Invite two people, one after the other, and remove one",
    async (page) => {
      await signIn(page, "boss@example.com")
      await page.click("text=Invite…")
      await type(page, "#invite [name=email]", "lou@example.com")
      await page.keyboard.press("Enter")
      await settled(page)
      await page.click("text=Invite…")
      await page.fill("#invite [name=email]", "")
      await type(page, "#invite [name=email]", "max@example.com")
      await page.click("text=Send invitation")
      await settled(page)
      await page.click(`${person("Mira Stone")} .drop`)
      await settled(page)
    },
    [
      ["sign_in", { email: "boss@example.com" }],
      ["invite_member", { email: "lou@example.com", role: "member" }],
      ["invite_member", { email: "max@example.com", role: "member" }],
      ["remove_member", { member_id: "u-31" }]
    ]
  )
]
