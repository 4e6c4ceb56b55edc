import { Command } from "@effect/cli"
import { Effect } from "effect"
export const doctorCommand = Command.make("doctor", {}, () => Effect.void)
