import type { BrowserContext, Page, Request } from "playwright-core"

/** A line of `input_events.jsonl` or `network_traffic.jsonl`. */
type Line = Readonly<Record<string, unknown>>

/** What was recorded, each in the order of its time. */
export interface Recording {
  readonly input_events: ReadonlyArray<Line>
  readonly network_traffic: ReadonlyArray<Line>
}

/**
 * Runs in the page, before its own scripts: tells every input event with what a person would call its
 * target. It must not use anything of this module.
 */
const listen = () => {
  const tell = (line: Line) => (window as unknown as { recorded: (line: Line) => void }).recorded(line)
  const collapsed = (text: string | null | undefined) => (text ?? "").replaceAll(/\s+/g, " ").trim().slice(0, 200)
  const labelOf = (element: Element): string => {
    const aria = element.getAttribute("aria-label")
    if (aria !== null) return collapsed(aria)
    const { labels } = element as HTMLInputElement
    if (labels !== undefined && labels !== null && labels.length > 0) {
      const copy = labels[0]?.cloneNode(true) as HTMLElement
      for (const control of copy.querySelectorAll("select,input,textarea")) control.remove()
      return collapsed(copy.textContent)
    }
    const title = element.getAttribute("title")
    const isControl = /^(INPUT|SELECT|TEXTAREA)$/.test(element.tagName)
    const own = isControl ? (element.getAttribute("placeholder") ?? title) : (title ?? element.textContent)
    return collapsed(own)
  }
  const roles: Readonly<Record<string, string>> = {
    A: "link",
    BUTTON: "button",
    SELECT: "combobox",
    TEXTAREA: "textbox",
    FORM: "form",
    H1: "heading",
    H2: "heading",
    H3: "heading"
  }
  const roleOf = (element: Element): string | undefined => {
    const given = element.getAttribute("role")
    if (given !== null) return given
    if (element.tagName !== "INPUT") return roles[element.tagName]
    const type = element.getAttribute("type") ?? "text"
    const named: Readonly<Record<string, string>> = { search: "searchbox", number: "spinbutton" }
    return /^(checkbox|radio|button)$/.test(type) ? type : (named[type] ?? "textbox")
  }
  const selectorOf = (element: Element): string => {
    if (element.id !== "") return `#${element.id}`
    const test = element.getAttribute("data-testid")
    if (test !== null) return `[data-testid="${test}"]`
    const name = element.getAttribute("name")
    const own = name === null ? "" : `[name="${name}"]`
    const parent = element.parentElement
    const step = `${element.tagName.toLowerCase()}${own}${element.classList.length > 0 ? `.${element.classList[0]}` : ""}`
    if (parent === null || parent === document.body) return step
    const alike = Array.from(parent.children).filter(({ tagName }) => tagName === element.tagName)
    const nth = alike.length > 1 && own === "" ? `:nth-of-type(${alike.indexOf(element) + 1})` : ""
    return `${selectorOf(parent)} > ${step}${nth}`
  }
  const record = (type: string) => (event: Event) => {
    const element = event.target instanceof Element ? event.target : undefined
    const field = element as HTMLInputElement | undefined
    const isField = element !== undefined && /^(INPUT|SELECT|TEXTAREA)$/.test(element.tagName)
    // What is typed is told by the field; of the keys only those that do something.
    if (event instanceof KeyboardEvent && event.key.length === 1 && !event.ctrlKey && !event.metaKey) return
    const isSecret = field?.type === "password"
    const isToggle = field?.type === "checkbox"
    const hasValue = isField && (type === "input" || type === "change")
    tell({
      timestamp: Date.now(),
      type,
      ...(element === undefined
        ? {}
        : {
            target: {
              selector: selectorOf(element),
              tag: element.tagName.toLowerCase(),
              role: roleOf(element),
              name: element.tagName === "FORM" || element.tagName === "BODY" ? undefined : labelOf(element),
              text: /^(BUTTON|A|LI|H\d|SPAN|P|TD)$/.test(element.tagName) ? collapsed(element.textContent) : undefined,
              input_type: isField ? field?.type : undefined
            }
          }),
      value: hasValue ? (isSecret ? "" : isToggle ? String(field?.checked) : field?.value) : undefined,
      key: event instanceof KeyboardEvent ? event.key : undefined,
      x: event instanceof MouseEvent ? event.clientX : undefined,
      y: event instanceof MouseEvent ? event.clientY : undefined,
      url: location.href
    })
  }
  for (const type of ["click", "dblclick", "input", "change", "keydown", "submit"]) {
    document.addEventListener(type, record(type), { capture: true })
  }
  let scrolled = 0
  document.addEventListener("scroll", (event) => {
    if (Date.now() - scrolled > 250) record("scroll")(event)
    scrolled = Date.now()
  })
  if (location.href !== "about:blank") tell({ timestamp: Date.now(), type: "navigate", url: location.href })
  window.addEventListener("hashchange", () => tell({ timestamp: Date.now(), type: "navigate", url: location.href }))
}

const traffic = async (request: Request): Promise<Line> => {
  const response = await request.response()
  await response?.finished()
  const { startTime, responseEnd } = request.timing()
  const type = response?.headers()["content-type"] ?? ""
  return {
    timestamp: Math.round(startTime),
    method: request.method(),
    url: request.url(),
    status: response?.status() ?? null,
    request_headers: { "content-type": request.headers()["content-type"] },
    request_body: request.postData() ?? undefined,
    response_headers: { "content-type": type },
    response_body: /json|csv/.test(type) ? await response?.text() : undefined,
    duration_ms: Math.max(0, Math.round(responseEnd))
  }
}

/** Records what `use` does with a page of the browser, as a recorder in the browser would. */
export const recorded = async (context: BrowserContext, use: (page: Page) => Promise<void>): Promise<Recording> => {
  const input_events: Array<Line> = []
  const requests: Array<Request> = []
  await context.exposeFunction("recorded", (line: Line) => input_events.push(line))
  await context.addInitScript(listen)
  const page = await context.newPage()
  page.on("request", (request) => {
    if (/^(document|xhr|fetch)$/.test(request.resourceType())) requests.push(request)
  })
  await use(page)
  const network_traffic = await Promise.all(requests.map(traffic))
  const byTime = (a: Line, b: Line) => Number(a["timestamp"]) - Number(b["timestamp"])
  return { input_events: input_events.toSorted(byTime), network_traffic: network_traffic.toSorted(byTime) }
}
