/** `mccache config`. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Configuration } from "../../domain/Configuration.ts"
import * as SettingTable from "../../domain/SettingTable.ts"
import * as Settings from "../Settings.ts"
import * as Output from "./Output.ts"
import * as Show from "./Show.ts"

/** What the program's own logger decides where nothing is set. */
const ofProgram = new Set(["logLevel", "logFormat"])

/** The value of a setting in the form that its table gives defaults in. Keys are counted and never shown. */
export const shown = (configuration: Configuration, setting: SettingTable.Setting): string => {
  const { field } = setting
  if (field === "cryptoKeys") return keys(configuration)
  if (field === "multicastGroup") {
    const { address, port } = configuration.multicastGroup
    return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`
  }
  const value = configuration[field]
  if (value === undefined) return setting.defaultText
  if (typeof value === "boolean") return value ? "1" : "0"
  if (typeof value !== "number") return String(value)
  if (field.endsWith("Millis")) return Show.millis(value)
  if (field.endsWith("Bytes") || field === "packetMtu") return `${Show.count(value)} bytes`
  if (field.endsWith("Percent")) return `${value} %`
  return field === "testRandomSeed" ? String(value) : Show.count(value)
}

const keys = ({ cryptoKeys }: Configuration): string => {
  const { length } = Redacted.value(cryptoKeys)
  return length === 0 ? "none" : `${length} (hidden)`
}

export const command = Command.make(
  "config",
  { json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false)) },
  Effect.fnUntraced(function*({ json }) {
    const { configuration, origins, warnings } = yield* Settings.load()
    for (const warning of warnings) yield* Output.remark(warning)
    if (json) {
      const { cryptoKeys: _, ...shown } = configuration
      return yield* Output.json({ ...shown, cryptoKeys: keys(configuration), origins })
    }
    const rows = SettingTable.settings.map((setting) => [
      setting.variable,
      origins[setting.option] === "default" && ofProgram.has(setting.field)
        ? setting.defaultText
        : shown(configuration, setting),
      origins[setting.option]
    ])
    const protocol = Object.entries(configuration.protocol)
      .filter(([name]) => origins[`protocol.${name}`] !== "default")
      .map(([name, value]) => [`protocol.${name}`, String(value), origins[`protocol.${name}`]])
    yield* Output.table({
      columns: [{ title: "Setting" }, { title: "Value" }, { title: "From" }],
      rows: [...rows, ...protocol]
    })
  })
).pipe(
  Command.withDescription(
    "Print the configuration that a member started here would have, and where each value comes from. Keys are hidden; warnings go to the standard error stream. Timings of the protocol are listed where they are not the default"
  ),
  Command.withShortDescription("Print the effective configuration"),
  Command.withExamples([
    { command: "mccache config", description: "In the directory and environment of a member" },
    { command: "mccache config --json", description: "With all timings of the protocol" }
  ])
)
