/**
 * What a member is configured by (section 4 of the design), decoded: units in the names, keys redacted, defaults filled
 * in. `SettingTable.ts` says of each setting what it may be and what it is when nobody says; `runtime/Settings.ts`
 * reads the sources.
 *
 * A setting has one name in two spellings: `MCCACHE_CACHE_TTL` in the environment, `cacheTtl` in code and in the
 * `"mccache"` field of `package.json`. **Plain numbers are in the unit of the table, seconds for times**; a time may
 * also be anything that Effect reads as a duration, such as `"10 minutes"`.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Protocol from "./Protocol.ts"

export type { Protocol, ProtocolOptions } from "./Protocol.ts"

const whole = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const second = 1_000
const minute = 60 * second
const hour = 60 * minute

/** 0 partial · 1 full · 2 invalidate. @since 0.1.0 @category models */
export const Mode = Schema.Literals([0, 1, 2])
export type Mode = typeof Mode.Type

/** What happens to concurrent writes: both give way, or the writer's id decides. @since 0.1.0 @category models */
export const Collision = Schema.Literals(["tie", "latest"])
export type Collision = typeof Collision.Type

/** Which entry goes first when a namespace is full. @since 0.1.0 @category models */
export const Eviction = Schema.Literals(["updated", "used"])
export type Eviction = typeof Eviction.Type

/** The bounds of what a namespace may override. */
const bounds = {
  ttlMillis: whole(0, 100 * 365 * 24 * hour),
  max: whole(1, Protocol.recordsMax),
  sizeBytes: whole(1_024, 2 ** 40),
  callbackWindowMillis: whole(0, hour)
}

const MulticastGroup = Schema.Struct({ address: Schema.String, port: whole(1, 65_535) })

const CryptoKey = Schema.Uint8Array.check(Schema.makeFilter((bytes) => bytes.length === 32))

const text = (lengthMax: number) =>
  Schema.String.check(Schema.isPattern(new RegExp(`^[^\\p{Cc}]{1,${lengthMax}}$`, "u")))

/** Everything but the protocol, whose own table is `Protocol.limits`. */
export const Fields = Schema.Struct({
  /** The default time to live; 0 is for ever. */
  cacheTtlMillis: bounds.ttlMillis,
  /** Entries per namespace. */
  cacheMax: bounds.max,
  /** Bytes of encoded keys and values per namespace. */
  cacheSizeBytes: bounds.sizeBytes,
  cacheMode: Mode,
  /** The time between full checks. */
  cachePulseMillis: whole(second, 24 * hour),
  cacheCollision: Collision,
  /** Absent: by mode, `updated` in mode 1, else `used`. Namespaces resolve it. */
  cacheEviction: Schema.optionalKey(Eviction),
  /** The first seals, all open; none: nothing is sealed. */
  cryptoKeys: Schema.Redacted(Schema.Array(CryptoKey)),
  /** Whether other interfaces than loopback are allowed without a key. */
  insecure: Schema.Boolean,
  cluster: text(255),
  /** The whole UDP payload in bytes. Absent: by interface. */
  packetMtu: Schema.optionalKey(whole(508, 65_507)),
  multicastGroup: MulticastGroup,
  multicastHops: whole(1, 255),
  /** An address, a name, or `auto`. */
  interface: text(255),
  /** A remote change is reported to who looked the key up within this time; 0 reports none. */
  callbackWindowMillis: bounds.callbackWindowMillis,
  /** The longest sleep of the Housekeeper. */
  daemonSleepMillis: whole(10, minute),
  /** Absent: the program's own Effect logger. */
  logFilename: Schema.optionalKey(text(4_096)),
  logLevel: Schema.Literals(["All", "Trace", "Debug", "Info", "Warn", "Error", "Fatal", "None"]),
  logFormat: Schema.Literals(["json", "logfmt", "pretty"]),
  logKeys: Schema.Literals(["hashed", "plain"]),
  /** Absent: the process id. */
  testRandomSeed: Schema.optionalKey(whole(0, 0xffff_ffff)),
  testClusterSize: whole(1, 1_000),
  testKeyEntries: whole(1, 1_000_000),
  /** 1 small values · 2 large ones · 3 both. */
  testDataSizeMix: Schema.Literals([1, 2, 3]),
  testRunDurationMillis: whole(second, 7 * 24 * hour),
  testApertureMillis: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: minute })),
  /** The share of outgoing datagrams that is dropped, in percent. */
  testMonkeyTantrumPercent: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 100 }))
})
export type Fields = typeof Fields.Type

/**
 * The decoded configuration.
 *
 * @since 0.1.0
 * @category models
 */
export interface Configuration extends Fields {
  readonly protocol: Protocol.Protocol
}

/**
 * What a program may pass in code, or write in the `"mccache"` field of `package.json`. **Plain numbers are in the unit
 * of the setting: seconds for times**, so `cacheTtl: 600` and `cacheTtl: "10 minutes"` are the same.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The default time to live, in seconds or as a duration. An update resets it; 0 is for ever. Default 3600. */
  readonly cacheTtl?: Duration.Input | undefined
  /** Entries per namespace, 1 to 8,000,000. Default 256. More costs memory at every member in mode 1. */
  readonly cacheMax?: number | undefined
  /** Bytes of encoded keys and values per namespace. Default 8,388,608. Also bounds a single value. */
  readonly cacheSize?: number | undefined
  /**
   * 0 partial: only members that hold a key are updated · 1 full (default): all hold all · 2 invalidate: others drop
   * it.
   */
  readonly cacheMode?: Mode | undefined
  /** Time between full checks, in seconds or as a duration. Default 300. */
  readonly cachePulse?: Duration.Input | undefined
  /** Concurrent writes: `tie` (default) drops both, `latest` lets the writer's id decide. */
  readonly cacheCollision?: Collision | undefined
  /** Who goes first from a full namespace: `updated` (default, and the only one, in mode 1) or `used` (modes 0, 2). */
  readonly cacheEviction?: Eviction | undefined
  /** Urlsafe base64 of 32 bytes. Several, as a list or separated by commas: the first seals, all open. */
  readonly cryptoKey?: string | ReadonlyArray<string> | Redacted.Redacted<string> | undefined
  /** Allows other interfaces than loopback without a key. Default false. */
  readonly insecure?: boolean | 0 | 1 | undefined
  /** Members with another name, or key, ignore each other. Default: the name in the nearest `package.json`. */
  readonly cluster?: string | undefined
  /** The whole UDP payload in bytes, 508 to 65,507. Default: 1,472, less where the interface has less, more on loopback. */
  readonly packetMtu?: number | undefined
  /** `address:port` or `[address]:port` of the group; the port may be missing. Default 224.0.0.3:4000. */
  readonly multicastIp?: string | undefined
  /** The hop limit of multicasts, 1 to 255: routers on the way + 1. Default 1: this network only. */
  readonly multicastHops?: number | undefined
  /** An interface's address or name. Default `auto`: the first that reaches beyond the host, without a key loopback. */
  readonly interface?: string | undefined
  /** How recent a lookup must be for `onChange` to tell of a remote change, in seconds or as a duration. Default 5. */
  readonly callbackWin?: Duration.Input | undefined
  /** The Housekeeper's longest sleep, in seconds or as a duration. Default 2. */
  readonly daemonSleep?: Duration.Input | undefined
  /**
   * A file to append the log to. Default: the program's own Effect logger. It is opened anew on SIGHUP, which does not end
   * the process then, and when it was renamed or deleted.
   */
  readonly logFilename?: string | undefined
  /** Default `info`. At `debug` each write, in and out, is a line; at `trace` also what the protocol says of itself. */
  readonly logLevel?: Lowercase<Configuration["logLevel"]> | Configuration["logLevel"] | undefined
  /** The form of the lines. Default: `json` in a file, else that of the program's own logger. */
  readonly logFormat?: Configuration["logFormat"] | undefined
  /**
   * How keys stand in the log. Default `hashed`: equal keys have equal hashes at all members, and without the cluster's key
   * nobody can try out which key a hash is of. `plain` shows them.
   */
  readonly logKeys?: Configuration["logKeys"] | undefined
  /** Stress test: the seed. Default: the process id. */
  readonly testRandomSeed?: number | undefined
  /** Stress test: members. Default 3. */
  readonly testClusterSize?: number | undefined
  /** Stress test: keys. Default 200. */
  readonly testKeyEntries?: number | undefined
  /** Stress test: 1 small values (default) · 2 large ones · 3 both. */
  readonly testDataSizeMix?: 1 | 2 | 3 | undefined
  /** Stress test: how long, in **minutes** or as a duration. Default 5. */
  readonly testRunDuration?: Duration.Input | undefined
  /** Stress test: the scale of pauses between operations, in seconds or as a duration. Default 0.01. */
  readonly testAperture?: Duration.Input | undefined
  /** Drops this share of outgoing datagrams, in percent. Default 0. */
  readonly testMonkeyTantrum?: number | undefined
  /** Timings and bounds of the protocol: `Protocol.limits` documents each. */
  readonly protocol?: Protocol.ProtocolOptions | undefined
}
