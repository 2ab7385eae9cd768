/** What a stress test does, from the knobs of the settings (`TEST_*`). Pure. */
import * as Schema from "effect/Schema"
import { familyOf } from "../Interfaces.ts"
import type { Settings } from "../Settings.ts"

/** What one member needs to know of the workload. */
export const Workload = Schema.Struct({
  /** Which member this is, from 0. */
  member: Schema.Int,
  members: Schema.Int,
  /** All keys, shared and own ones. */
  keys: Schema.Int,
  apertureMillis: Schema.Finite,
  sizes: Schema.Literals(["small", "large", "both"]),
  seed: Schema.Int
})
export type Workload = typeof Workload.Type

/** What a member is opened with, beside what it reads from the environment as any member does. */
export const Opening = Schema.Struct({
  cluster: Schema.String,
  interface: Schema.String,
  multicastIp: Schema.String,
  cacheMax: Schema.Int,
  cacheSize: Schema.Int,
  logLevel: Schema.Literals(["All", "Trace", "Debug", "Info", "Warn", "Error", "Fatal", "None"]),
  testMonkeyTantrum: Schema.Finite,
  /** In namespaces, which are no loopback, a key of this run. */
  cryptoKey: Schema.optionalKey(Schema.String)
})
export type Opening = typeof Opening.Type

export interface Plan {
  readonly members: number
  readonly keys: number
  readonly apertureMillis: number
  readonly durationMillis: number
  readonly sizes: Workload["sizes"]
  readonly seed: number
  readonly tantrumPercent: number
  readonly mode: 0 | 1 | 2
  readonly cacheMax: number
  readonly cacheSizeBytes: number
  readonly namespaces: boolean
  readonly opening: Omit<Opening, "interface">
  readonly loopback: string
}

/** The lengths of values, in bytes. McCache's own test has up to 1 KB and more than 9 KB. */
export const sizesBytes = {
  small: { minimum: 20, maximum: 1_000 },
  large: { minimum: 9_000, maximum: 20_000 }
}

/** A key, its encoding and the headers of a value take less. */
const overheadBytes = 100

/**
 * The plan of the settings. What nobody set is chosen so that all keys fit, because a run is meant to find what was lost and not
 * what was evicted; whoever sets `MCCACHE_CACHE_MAX` or `MCCACHE_CACHE_SIZE` gets evictions. A group of its own, by the process
 * id, keeps runs apart.
 */
export const make = (
  { configuration, origins }: Settings,
  run: { readonly pid: number; readonly namespaces: boolean; readonly cryptoKey?: string | undefined }
): Plan => {
  const keys = configuration.testKeyEntries
  const sizes = (["small", "large", "both"] as const)[configuration.testDataSizeMix - 1]
  const valueBytesMax = sizesBytes[sizes === "small" ? "small" : "large"].maximum
  const cacheMax = origins.cacheMax === "default" ? Math.max(configuration.cacheMax, keys) : configuration.cacheMax
  const cacheSizeBytes = origins.cacheSize === "default"
    ? Math.max(configuration.cacheSizeBytes, keys * (valueBytesMax + overheadBytes))
    : configuration.cacheSizeBytes
  const { address, port } = configuration.multicastGroup
  const groupPort = origins.multicastIp === "default" ? 20_000 + run.pid % 40_000 : port
  const family = familyOf(address)
  const tantrumPercent = configuration.testMonkeyTantrumPercent
  return {
    members: configuration.testClusterSize,
    keys,
    apertureMillis: configuration.testApertureMillis,
    durationMillis: configuration.testRunDurationMillis,
    sizes,
    seed: configuration.testRandomSeed ?? run.pid,
    tantrumPercent,
    mode: configuration.cacheMode,
    cacheMax,
    cacheSizeBytes,
    namespaces: run.namespaces,
    loopback: family === "IPv6" ? "::1" : "127.0.0.1",
    opening: {
      cluster: `stress-${run.pid}`,
      multicastIp: family === "IPv6" ? `[${address}]:${groupPort}` : `${address}:${groupPort}`,
      cacheMax,
      cacheSize: cacheSizeBytes,
      // Every member would tell of the tantrum at its start; the command does it once.
      logLevel: origins.logLevel === "default" ? "Error" : configuration.logLevel,
      testMonkeyTantrum: tantrumPercent,
      ...(run.cryptoKey === undefined ? {} : { cryptoKey: run.cryptoKey })
    }
  }
}

export const workloadOf = (plan: Plan, member: number): Workload => ({
  member,
  members: plan.members,
  keys: plan.keys,
  apertureMillis: plan.apertureMillis,
  sizes: plan.sizes,
  seed: plan.seed
})

/** The keys of a run: half of them for all, the rest shared out; with few keys they are all for all. */
export const keysOf = (
  { keys, members }: Pick<Workload, "keys" | "members">
): { readonly shared: number; readonly ownOfEach: number } => {
  const ownOfEach = Math.floor(keys / 2 / members)
  return { shared: keys - ownOfEach * members, ownOfEach }
}

/** The plan in a line for people. */
export const describe = (plan: Plan): string => {
  const tantrum = plan.tantrumPercent === 0 ? "" : `, ${plan.tantrumPercent} % of datagrams dropped`
  const where = plan.namespaces ? "in network namespaces" : `on ${plan.loopback}`
  return `${plan.members} members ${where}, ${plan.keys} keys, ${plan.sizes} values, aperture ${plan.apertureMillis} ms, ` +
    `${plan.durationMillis / 1_000} s${tantrum}, mode ${plan.mode}, seed ${plan.seed}`
}
