import type { Format } from "../../domain/session/Session.ts"
import { baseName, extensionOf } from "../BundlePath.ts"
import type { Adapter } from "./Adapter.ts"
import { atif } from "./Atif.ts"
import { browserInput, browserNetwork } from "./Browser.ts"
import { chat } from "./Chat.ts"
import { chromeTrace } from "./ChromeTrace.ts"
import { claudeCode } from "./ClaudeCode.ts"
import { codex } from "./Codex.ts"
import { har } from "./Har.ts"
import { langfuse } from "./Langfuse.ts"
import { otlp } from "./Otlp.ts"
import { recorder } from "./Recorder.ts"
import { sweAgent } from "./SweAgent.ts"

const adapters: Record<Exclude<Format, "playwright.trace">, Adapter> = {
  "tracepipe.browser/v1": browserInput,
  "chrome.recorder": recorder,
  har,
  "tracepipe.agent/v1": chat,
  "openai.chat": chat,
  "anthropic.messages": chat,
  "claude-code": claudeCode,
  codex,
  "chrome.trace": chromeTrace,
  otlp,
  atif,
  "swe-agent": sweAgent,
  langfuse
}

/**
 * What reads a file of a recording: a HAR is one in any format, and a browser's network has its own
 * file. Playwright's files, which share a clock, are read together (TimelineSources.ts).
 */
export const adapterOf = (format: Exclude<Format, "playwright.trace">, path: string): Adapter => {
  if (/^harp?$/.test(extensionOf(path))) return har
  if (format === "tracepipe.browser/v1" && baseName(path) === "network_traffic.jsonl") return browserNetwork
  return adapters[format]
}
