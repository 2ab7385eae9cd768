/**
 * Unpredictable bytes: member ids and challenges. They are the salt of a member's keys, so that two members must never
 * have the same ones; only simulations replace this.
 */
import * as Context from "effect/Context"
import { randomBytes } from "node:crypto"

/** @category services */
export const Entropy: Context.Reference<(bytes: number) => Uint8Array> = Context.Reference("mccache/services/Entropy", {
  defaultValue: () => (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes))
})
