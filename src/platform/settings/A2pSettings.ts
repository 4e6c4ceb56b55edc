import { Config } from "effect"
import * as Setting from "../Setting.ts"

const { setting } = Setting

/** What agents send to `/a2p`. A function, so that its variables are declared in their place among the others. */
export const a2pSettings = () =>
  Config.all({
    max_request_bytes: setting("A2P_MAX_REQUEST_BYTES", Setting.bytes, {
      fallback: 32 * 1024 ** 2,
      shown: "32 MiB",
      description: "largest request by A2P, files in its message included; larger sessions are given by their URL"
    })
  })
