/** Hostile configuration: any option under any name, in code and in the environment. */
import * as Cause from "effect/Cause"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { checksum } from "../../src/domain/Checksum.ts"
import * as Protocol from "../../src/domain/Protocol.ts"
import * as SettingTable from "../../src/domain/SettingTable.ts"
import * as Settings from "../../src/runtime/Settings.ts"
import { Defect } from "./Defect.ts"
import { Dice } from "./Dice.ts"

const anything = (dice: Dice): unknown =>
  dice.pick<() => unknown>([
    () => dice.magnitude(),
    () => -dice.magnitude(),
    () => dice.pick([Number.NaN, Infinity, -0, 0.5, 1e300]),
    () => Buffer.from(dice.bytes(dice.below(40))).toString(dice.pick(["latin1", "base64url", "hex"])),
    () => dice.pick(["", " ", "1", "0x10", "1e3", "10 minutes", "-5 seconds", "auto", "224.0.0.3:4000", "[::1]:99999"]),
    () => dice.pick([null, undefined, true, [], {}, [[]], 2n, new Date(Number.NaN)]),
    () => ({ seconds: dice.magnitude(), toString: "no" })
  ])()

const written = (dice: Dice): string => {
  const value = anything(dice)
  return typeof value === "string" || typeof value === "number" ? String(value) : typeof value
}

const protocol = (dice: Dice): unknown => {
  if (dice.chance(0.1)) return anything(dice)
  const names = [...Object.keys(Protocol.make()), "unknown", "__proto__"]
  return Object.fromEntries(Array.from({ length: dice.below(6) }, () => [dice.pick(names), anything(dice)]))
}

/** Reads a hostile configuration; true when it was accepted. Throws when it is refused otherwise than by an `McCacheError`. */
export const attempt = (seed: Uint8Array): boolean => {
  const dice = new Dice(checksum(seed))
  const options: { [name: string]: unknown } = {}
  const env: { [name: string]: string } = {}
  for (let count = dice.below(5); count > 0; count--) {
    const { option, variable } = dice.pick(SettingTable.settings)
    if (dice.chance(0.5)) options[option] = anything(dice)
    else env[variable] = written(dice)
  }
  if (dice.chance(0.3)) options.protocol = protocol(dice)
  if (dice.chance(0.1)) options[dice.pick(["", "__proto__", "cachettl", "toString"])] = anything(dice)
  const provider = ConfigProvider.fromEnvRecord(env)
  const exit = Effect.runSyncExit(Settings.load(options, { env: {}, provider }))
  if (Exit.isSuccess(exit)) return true
  if (Cause.hasDies(exit.cause)) {
    throw new Defect(`${JSON.stringify(String(Cause.squash(exit.cause)))} is no McCacheError`)
  }
  return false
}
