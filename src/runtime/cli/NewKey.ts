/** `mccache key`. */
import * as Command from "effect/cli/Command"
import { randomBytes } from "node:crypto"
import * as Output from "./Output.ts"

export const command = Command.make("key", {}, () => Output.line(randomBytes(32).toString("base64url"))).pipe(
  Command.withDescription(
    "Print a new key, for MCCACHE_CRYPTO_KEY of every member. To rotate: add it last everywhere, move it first, drop the old one"
  ),
  Command.withShortDescription("Print a new key"),
  Command.withExamples([{ command: "export MCCACHE_CRYPTO_KEY=$(mccache key)", description: "Make a key and use it" }])
)
