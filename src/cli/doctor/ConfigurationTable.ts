import { declared } from "../../platform/Setting.ts"
// The variables are declared as this module is loaded.
import "../../platform/Settings.ts"

const cell = (text: string) => text.replaceAll("|", "\\|")

/** Every variable of the service as a Markdown table: what stands between the README's markers. */
export const configurationTable = (): string =>
  [
    "| variable | default | meaning |",
    "|---|---|---|",
    ...declared().map(
      ({ name, fallback, description, secret }) =>
        `| \`${name}\` | ${cell(fallback)} | ${cell(description)}${secret ? " (a secret)" : ""} |`
    )
  ].join("\n")
