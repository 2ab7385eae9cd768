/**
 * Reads the configuration from its sources: options passed in code win over environment variables, which win over the
 * `"mccache"` field of the nearest `package.json`, which wins over defaults.
 *
 * A bad value stops the start, and the error names where it was written, the value, and what is accepted; all bad
 * values are told at once. An unknown name only warns, with the nearest known one: it may be meant for another version.
 */
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Configuration, Options } from "../domain/Configuration.ts"
import { Fields } from "../domain/Configuration.ts"
import * as McCacheError from "../domain/McCacheError.ts"
import { capacityProblems, usedInMode1 } from "../domain/NamespaceOptions.ts"
import * as NearestName from "../domain/NearestName.ts"
import * as Protocol from "../domain/Protocol.ts"
import * as SettingTable from "../domain/SettingTable.ts"
import * as TimeInput from "../domain/TimeInput.ts"
import * as PackageJson from "./PackageJson.ts"

/** Where a value was written. @category models */
export type Origin = "option" | "environment" | "package.json" | "default"

/** @category models */
export interface Settings {
  readonly configuration: Configuration
  /** Of every option by its name, protocol timings as `protocol.heartbeatMillis`. */
  readonly origins: { readonly [option: string]: Origin }
  /** What the user should hear about at the start. */
  readonly warnings: ReadonlyArray<string>
}

/** @category models */
export interface Sources {
  /** The environment; `process.env` unless given. */
  readonly env?: { readonly [variable: string]: string | undefined } | undefined
  /** Read in place of `env`, by the same names: for programs that configure themselves through Effect. */
  readonly provider?: ConfigProvider.ConfigProvider | undefined
  /** Where the search for `package.json` starts; `process.cwd()` unless given. */
  readonly cwd?: string | undefined
}

/** A value that was found, with the words that name its place. */
interface Found {
  readonly origin: Origin
  readonly where: string
  readonly value: unknown
}

interface Values {
  readonly [name: string]: unknown
}

const isObject = (value: unknown): value is Values =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What one load collects on its way. */
interface Reading {
  readonly options: Values
  readonly field: Values
  readonly fieldPath: string
  readonly environment: ConfigProvider.ConfigProvider
  readonly warnings: Array<string>
  readonly problems: Array<string>
  readonly origins: { [option: string]: Origin }
  /** How messages call the place of each value. */
  readonly places: { [option: string]: string }
}

/** Options that are no settings. */
const otherOptions = ["protocol", "unref"]

/**
 * Reads all sources. Fails with `InvalidConfig`.
 *
 * @since 0.1.0
 */
export const load = Effect.fnUntraced(function*(options: Options = {}, sources: Sources = {}) {
  const env = sources.env ?? process.env
  const packageJson = yield* PackageJson.nearest(sources.cwd)
  const reading: Reading = {
    options: { ...options },
    field: isObject(packageJson?.mccache) ? packageJson.mccache : {},
    fieldPath: packageJson?.path ?? "package.json",
    environment: sources.provider ?? ConfigProvider.fromEnvRecord({ ...env }),
    warnings: [],
    problems: [],
    origins: {},
    places: {}
  }
  if (packageJson?.problem !== undefined) {
    reading.warnings.push(`${packageJson.path} is not used: ${packageJson.problem}.`)
  }
  if (packageJson?.mccache !== undefined && !isObject(packageJson.mccache)) {
    reading.problems.push(`"mccache" in ${packageJson.path} is not an object.`)
  }
  warnOfUnknown(reading, sources.provider === undefined ? Object.keys(env) : [])

  const fields: { [field: string]: unknown } = {
    cryptoKeys: Redacted.make([]),
    cluster: packageJson?.name ?? "mccache"
  }
  for (const setting of SettingTable.settings) {
    const found = yield* find(reading, setting)
    reading.origins[setting.option] = found?.origin ?? "default"
    reading.places[setting.option] = found?.where ?? setting.option
    const value = found?.value ?? setting.default
    if (value === undefined) continue
    const decoded = SettingTable.decode(setting, value)
    if (Result.isSuccess(decoded)) fields[setting.field] = decoded.success
    else reading.problems.push(`${reading.places[setting.option]} ${decoded.failure}`)
  }
  const overrides = readProtocol(reading)
  if (reading.problems.length > 0) return yield* refuse(reading.problems)
  const decoded = yield* Effect.orDie(Schema.decodeUnknownEffect(Fields)(fields))
  const configuration: Configuration = { ...decoded, protocol: Protocol.make(overrides, decoded.cacheSizeBytes) }
  const conflicts = conflictsOf(configuration, reading.places)
  return conflicts.length > 0
    ? yield* refuse(conflicts)
    : { configuration, origins: reading.origins, warnings: reading.warnings } satisfies Settings
})

/** The value of a setting in the first source that has one. */
const find = Effect.fnUntraced(function*(reading: Reading, setting: SettingTable.Setting) {
  const option = reading.options[setting.option]
  if (option !== undefined) {
    return { origin: "option", where: `option ${setting.option}`, value: option } satisfies Found
  }
  const written = yield* findVariable(reading, setting)
  if (written !== undefined) return written
  const field = reading.field[setting.option]
  if (field === undefined || field === null) return undefined
  if (setting.field === "cryptoKeys") {
    reading.warnings.push(
      `The key in ${reading.fieldPath} is known to all who can read that file; use ${setting.variable}.`
    )
  }
  return {
    origin: "package.json",
    where: `"mccache".${setting.option} in ${reading.fieldPath}`,
    value: field
  } satisfies Found
})

/** The value of a variable under its name or, with a warning, an old one. Of two names that are set the new one counts. */
const findVariable = Effect.fnUntraced(function*(reading: Reading, setting: SettingTable.Setting) {
  let found: Found | undefined
  for (const variable of [setting.variable, ...setting.formerly]) {
    const value = yield* Config.option(Config.String(variable)).parse(reading.environment).pipe(
      Effect.mapError((error) => McCacheError.make("InvalidConfig", `${variable} cannot be read: ${error.message}`))
    )
    if (Option.isNone(value)) continue
    if (found !== undefined) {
      reading.warnings.push(
        `${variable} is ignored: it is an old name of ${setting.variable}, and ${found.where} is set.`
      )
      continue
    }
    if (variable !== setting.variable) {
      reading.warnings.push(`${variable} is an old name; use ${setting.variable} (default ${setting.defaultText}).`)
    }
    found = { origin: "environment", where: variable, value: value.value }
  }
  return found
})

/** Warns of names that nobody reads. `TEST_*` variables may well be another program's. */
const warnOfUnknown = (reading: Reading, variables: ReadonlyArray<string>): void => {
  const options = [...SettingTable.settings.map((setting) => setting.option), ...otherOptions]
  const known = SettingTable.settings.map((setting) => setting.variable)
  const formerly = SettingTable.settings.flatMap((setting) => setting.formerly)
  const warn = (what: string, name: string, names: ReadonlyArray<string>) => {
    reading.warnings.push(`Unknown ${what} ${name} is ignored${NearestName.didYouMean(name, names)}`)
  }
  for (const name of Object.keys(reading.options)) {
    if (!options.includes(name)) warn("option", name, options)
  }
  for (const name of variables) {
    if (/^MCCACHE_/i.test(name) && !known.includes(name) && !formerly.includes(name)) warn("variable", name, known)
  }
  for (const name of Object.keys(reading.field)) {
    if (!options.includes(name)) warn(`"mccache" field in ${reading.fieldPath}:`, name, options)
  }
}

/** The protocol: overrides in code over those in `package.json`, name by name. */
const readProtocol = (reading: Reading): Protocol.ProtocolOptions => {
  const overrides: { -readonly [Name in keyof Protocol.Protocol]?: number } = {}
  const names = Object.keys(Protocol.limits)
  for (const name of names) reading.origins[`protocol.${name}`] = "default"
  const read = (origin: Origin, where: string, values: unknown) => {
    if (values === undefined || values === null) return
    if (!isObject(values)) return void reading.problems.push(`${where} is not an object.`)
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined) continue
      if (!Protocol.isName(name)) {
        reading.warnings.push(`Unknown ${where}.${name} is ignored${NearestName.didYouMean(name, names)}`)
      } else if (!Protocol.isWithin(name, value)) {
        reading.problems.push(`${where}.${name} is ${TimeInput.show(value)}; accepted: ${Protocol.accepted(name)}.`)
      } else {
        overrides[name] = value
        reading.origins[`protocol.${name}`] = origin
      }
    }
  }
  read("package.json", `"mccache".protocol in ${reading.fieldPath}`, reading.field.protocol)
  read("option", "option protocol", reading.options.protocol)
  return overrides
}

/** What each value allows but all together do not. */
const conflictsOf = (configuration: Configuration, places: Reading["places"]): ReadonlyArray<string> => {
  const { cacheEviction, cacheMode, protocol } = configuration
  const conflicts = Protocol.problems(protocol).map((problem) => `${problem}.`)
  if (cacheMode === 1 && cacheEviction === "used") conflicts.push(usedInMode1(places.cacheEviction, places.cacheMode))
  conflicts.push(...capacityProblems(configuration.cacheSizeBytes, protocol, places.cacheSize))
  return conflicts
}

const refuse = (problems: ReadonlyArray<string>) => Effect.fail(McCacheError.make("InvalidConfig", problems.join("\n")))
