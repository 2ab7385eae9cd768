/**
 * The options of one namespace, `mccache.cache(name, options)`, resolved against the configuration.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Collision, Configuration, Eviction, Mode } from "./Configuration.ts"
import { Fields } from "./Configuration.ts"
import * as McCacheError from "./McCacheError.ts"
import * as NearestName from "./NearestName.ts"
import * as Protocol from "./Protocol.ts"
import * as SettingTable from "./SettingTable.ts"
import * as TimeInput from "./TimeInput.ts"

/**
 * What a namespace may have of its own; what is missing comes from the configuration. Mode, collision and eviction must
 * be the same at all members of the cluster, or opening fails with `OptionsConflict`; sizes and ttl may differ.
 *
 * @since 0.1.0
 * @category models
 */
export interface NamespaceOptions {
  readonly mode?: Mode | undefined
  /** The time to live of entries that are set without one. **A plain number is seconds**; 0 is for ever. */
  readonly ttl?: Duration.Input | undefined
  /** Entries, 1 to 8,000,000. */
  readonly max?: number | undefined
  /** Bytes of encoded keys and values, from 1,024. */
  readonly size?: number | undefined
  readonly collision?: Collision | undefined
  /** Default: `updated` in mode 1, where `used` is refused, else `used`. */
  readonly eviction?: Eviction | undefined
  /** How recent a lookup must be for `onChange` to tell of a remote change. **A plain number is seconds.** */
  readonly callbackWin?: Duration.Input | undefined
}

/** The resolved options: what a replica needs, the default time to live and the window of callbacks. */
export interface NamespaceSettings {
  readonly mode: Mode
  /** 0 is for ever. */
  readonly ttlMillis: number
  readonly cacheMax: number
  readonly cacheSizeBytes: number
  readonly collision: Collision
  readonly eviction: Eviction
  readonly callbackWindowMillis: number
  readonly tombstonesMax: number
  readonly tombstoneHorizonMillis: number
}

/** The setting that gives each option its default, bounds and form. */
const inherited: { readonly [Option in keyof NamespaceOptions]-?: string } = {
  mode: "cacheMode",
  ttl: "cacheTtl",
  max: "cacheMax",
  size: "cacheSize",
  collision: "cacheCollision",
  eviction: "cacheEviction",
  callbackWin: "callbackWin"
}

/** What `cache(name, options)` takes beside these. */
const others = ["value", "onChange"]

/** What may be overridden, by the names of the configuration. */
const Overrides = Schema.Struct({
  cacheMode: Fields.fields.cacheMode,
  cacheTtlMillis: Fields.fields.cacheTtlMillis,
  cacheMax: Fields.fields.cacheMax,
  cacheSizeBytes: Fields.fields.cacheSizeBytes,
  cacheCollision: Fields.fields.cacheCollision,
  cacheEviction: Fields.fields.cacheEviction,
  callbackWindowMillis: Fields.fields.callbackWindowMillis
})

/**
 * Resolves the options of a namespace. Throws `InvalidConfig`, naming the option, its value and what is accepted.
 * Names that nobody knows are no error: see `warnings`.
 */
export const resolve = (
  configuration: Configuration,
  options: NamespaceOptions = {},
  name = "default"
): NamespaceSettings => {
  const refuse = (problem: string) => McCacheError.make("InvalidConfig", `cache ${JSON.stringify(name)}: ${problem}`)
  const given: { readonly [option: string]: unknown } = { ...options }
  const fields: { [field: string]: unknown } = { ...configuration }
  for (const [option, inheritedFrom] of Object.entries(inherited)) {
    if (given[option] === undefined) continue
    const setting = SettingTable.byOption(inheritedFrom)
    fields[setting.field] = Result.getOrThrowWith(
      SettingTable.decode(setting, given[option]),
      (problem) => refuse(`option ${option} ${problem}`)
    )
  }
  const resolved = Schema.decodeUnknownSync(Overrides)(fields)
  const { cacheMax, cacheMode } = resolved
  if (cacheMode === 1 && options.eviction === "used") throw refuse(usedInMode1("option eviction", "option mode"))
  const problems = capacityProblems(resolved.cacheSizeBytes, configuration.protocol, "option size")
  if (problems.length > 0) throw refuse(problems.join(" "))
  return {
    mode: cacheMode,
    ttlMillis: resolved.cacheTtlMillis,
    cacheMax,
    cacheSizeBytes: resolved.cacheSizeBytes,
    collision: resolved.cacheCollision,
    // `used` that was configured for other modes does not reach into mode 1.
    eviction: cacheMode === 1 ? "updated" : resolved.cacheEviction ?? "used",
    callbackWindowMillis: resolved.callbackWindowMillis,
    tombstonesMax: Protocol.tombstonesMax(configuration.protocol, cacheMax),
    tombstoneHorizonMillis: configuration.protocol.tombstoneHorizonMillis
  }
}

/**
 * The first of the options asked for that is not what the namespace is open with, or `undefined`. Options mean what they
 * resolve to: `60` and `"1 minute"` are one ttl. Throws `InvalidConfig` for a time that is none.
 */
export const differing = (
  configuration: Configuration,
  open: NamespaceSettings,
  asked: NamespaceOptions,
  name: string
): keyof NamespaceOptions | undefined => {
  const { callbackWin, ttl } = asked
  const times = resolve(configuration, { callbackWin, ttl }, name)
  const equal: { readonly [Option in keyof NamespaceOptions]-?: boolean } = {
    mode: asked.mode === open.mode,
    ttl: times.ttlMillis === open.ttlMillis,
    max: asked.max === open.cacheMax,
    size: asked.size === open.cacheSizeBytes,
    collision: asked.collision === open.collision,
    eviction: asked.eviction === open.eviction,
    callbackWin: times.callbackWindowMillis === open.callbackWindowMillis
  }
  const options = Object.keys(equal) as ReadonlyArray<keyof NamespaceOptions>
  return options.find((option) => asked[option] !== undefined && !equal[option])
}

/** Why `used` is refused where members must drop the same entries without a message. */
export const usedInMode1 = (eviction: string, mode: string): string =>
  `${eviction} is "used", but ${mode} is 1 (full), where every member must drop the same entry; accepted: updated.`

/** A record is a value, its key and what else travels with them. */
const recordOverheadBytes = 65_536

/** What a namespace is allowed to hold but could not; the setting is called by the name given. */
export const capacityProblems = (
  cacheSizeBytes: number,
  { reassemblyBytesMax }: Protocol.Protocol,
  name: string
): ReadonlyArray<string> =>
  cacheSizeBytes + recordOverheadBytes <= reassemblyBytesMax
    ? []
    : [
      `${name} (${cacheSizeBytes}) must be at least ${recordOverheadBytes} less than ` +
      `protocol.reassemblyBytesMax (${reassemblyBytesMax}), or its largest values never arrive.`
    ]

/** A warning for each option that no namespace has, with the nearest that it has. */
export const warnings = (options: NamespaceOptions): ReadonlyArray<string> => {
  const known = [...Object.keys(inherited), ...others]
  return Object.keys(options).filter((option) => !known.includes(option)).map((option) =>
    `Unknown option ${option} of a cache is ignored${NearestName.didYouMean(option, known)}`
  )
}

/** What must be equal at all members that open the namespace, for people and for comparison. */
export const fingerprint = (self: NamespaceSettings): string =>
  `mode=${self.mode} collision=${self.collision} eviction=${self.eviction}`

/** What may differ, with a warning. */
export const sizing = (self: NamespaceSettings): string =>
  `max=${self.cacheMax} size=${self.cacheSizeBytes} ttlMillis=${self.ttlMillis}`

/** A setting that two members have differently. @since 0.1.0 @category models */
export interface Difference {
  /** `mode`, `collision` or `eviction`, which must be equal, or `max`, `size` or `ttlMillis`, which should. */
  readonly setting: string
  readonly ours: string
  readonly theirs: string
}

/** What two members that have a namespace open tell of it, as `fingerprint` and `sizing` write it. */
export interface Told {
  readonly fingerprint: string
  readonly sizing: string
}

/** The settings that differ. A setting that only one of them knows (members of two versions) is no difference. */
export const differences = (ours: Told, theirs: Told): ReadonlyArray<Difference> => {
  if (ours.fingerprint === theirs.fingerprint && ours.sizing === theirs.sizing) return []
  const others = settingsOf(theirs)
  return [...settingsOf(ours)].flatMap(([setting, value]) => {
    const other = others.get(setting)
    return other === undefined || other === value ? [] : [{ setting, ours: value, theirs: other }]
  })
}

const settingsOf = ({ fingerprint, sizing }: Told): ReadonlyMap<string, string> =>
  new Map(
    `${fingerprint} ${sizing}`.split(" ").map((text): [string, string] => {
      const at = text.indexOf("=")
      return [text.slice(0, at), text.slice(at + 1)]
    })
  )

/** Differences for a message: `mode is 1 here and 2 there, max is 10 here and 20 there`. */
export const describe = (list: ReadonlyArray<Difference>): string =>
  list.map(({ ours, setting, theirs }) => `${setting} is ${ours} here and ${theirs} there`).join(", ")

/** Throws `InvalidConfig` for what cannot be the name of a namespace. */
export const requireName = (name: string): void => {
  const nameBytes = typeof name === "string" ? new TextEncoder().encode(name).length : 0
  if (nameBytes >= 1 && nameBytes <= 128 && name.isWellFormed()) return
  throw McCacheError.make(
    "InvalidConfig",
    `The name of a cache must be text of 1 to 128 UTF-8 bytes, not ${TimeInput.show(name)}.`
  )
}
