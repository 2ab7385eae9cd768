/**
 * The table of settings (section 4 of the design): of each its two names, its default, what it may be, and how people
 * write it. Decoding, the README, the JSON Schema of the `"mccache"` field and `mccache config` all come from here.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Fields } from "./Configuration.ts"
import * as CryptoKeys from "./CryptoKeys.ts"
import * as Invariant from "./Invariant.ts"
import * as MulticastGroup from "./MulticastGroup.ts"
import * as Thousands from "./Thousands.ts"
import * as TimeInput from "./TimeInput.ts"

/** How people write a kind of value. */
interface Form {
  /** From what was written to what the schema checks; `undefined` when it is not of this form at all. */
  readonly read: (input: unknown) => unknown
  /** The value for a message. */
  readonly show: (input: unknown) => string
  /** What is accepted, for a message, after `accepted: `. */
  readonly accepted: string
  /**
   * The same as a JSON Schema of what to write in `package.json`: what it accepts is accepted here, but for times as text, of
   * which it cannot tell how long they are. Not all that is accepted here: `"256"` is read as a number, and no good example.
   */
  readonly json: { readonly [keyword: string]: unknown }
}

/** One row of the table. */
export interface Setting extends Form {
  /** The name in code and in `package.json`: `cacheTtl`. */
  readonly option: string
  /** The name in the environment: `MCCACHE_CACHE_TTL`. */
  readonly variable: string
  /** The name in the decoded configuration: `cacheTtlMillis`. */
  readonly field: keyof Fields
  /** As people would write it; `undefined` when the field is absent or found out elsewhere unless it is set. */
  readonly default: string | undefined
  /** The default for people: `3600 s`, `none`. */
  readonly defaultText: string
  readonly description: string
  /** Names in older McCache, still read, with a warning. */
  readonly formerly: ReadonlyArray<string>
}

const second = 1_000
const minute = 60 * second
const hour = 60 * minute

const trimmed = (input: unknown): unknown => typeof input === "string" ? input.trim() : input

/** Numbers, also as text in decimal digits. */
const readNumber = (input: unknown): unknown => {
  const value = trimmed(input)
  return typeof value === "string" && /^[+-]?\d+(\.\d+)?(e\d+)?$/i.test(value) ? Number(value) : value
}

const count = (minimum: number, maximum: number, of: string): Form => ({
  read: readNumber,
  show: TimeInput.show,
  accepted: `a whole number of ${of} from ${Thousands.separated(minimum)} to ${Thousands.separated(maximum)}`,
  json: { type: "integer", minimum, maximum }
})

/** A number of the unit, or the text of a duration. */
const timeJson = (minimum: number, maximum: number, ...others: ReadonlyArray<Form["json"]>): Form["json"] => ({
  anyOf: [
    ...others,
    { type: "number", minimum, maximum },
    { type: "string", pattern: "^\\d+(\\.\\d+)?( +(nano|micro|milli|second|minute|hour|day|week)s?)?$" }
  ]
})

const time = (
  range: string,
  [minimumMillis, maximumMillis]: readonly [number, number],
  unit: "seconds" | "minutes" = "seconds",
  fractions = false
): Form => {
  const unitMillis = unit === "seconds" ? 1_000 : 60_000
  return {
    read: (input) => {
      const millis = TimeInput.read(input, unitMillis)
      return millis === undefined || fractions ? millis : Math.round(millis)
    },
    show: TimeInput.show,
    accepted: `${unit} or a duration such as "10 minutes", ${range}`,
    json: timeJson(minimumMillis / unitMillis, maximumMillis / unitMillis)
  }
}

const ttl: Form = {
  read: TimeInput.readTtl,
  show: TimeInput.show,
  accepted: TimeInput.ttlAccepted,
  json: timeJson(0.001, TimeInput.millisMax / 1_000, { const: 0 })
}

const choice = (choices: ReadonlyArray<string>): Form => ({
  read: (input) => typeof input === "string" ? input.trim().toLowerCase() : input,
  show: TimeInput.show,
  accepted: choices.join(", "),
  json: { enum: choices }
})

const numbered = (choices: { readonly [value: number]: string }): Form => ({
  read: readNumber,
  show: TimeInput.show,
  accepted: Object.entries(choices).map(([value, meaning]) => `${value} (${meaning})`).join(", "),
  json: { enum: Object.keys(choices).map(Number) }
})

const text = (accepted: string, lengthMax: number): Form => ({
  read: trimmed,
  show: TimeInput.show,
  accepted,
  json: { type: "string", maxLength: lengthMax, pattern: "^[^\\p{Cc}]*[^\\p{Cc}\\s][^\\p{Cc}]*$" }
})

const percent: Form = {
  read: (input) => readNumber(typeof input === "string" ? input.replace(/\s*%\s*$/, "") : input),
  show: TimeInput.show,
  accepted: "a percentage from 0 to 100",
  json: { type: "number", minimum: 0, maximum: 100 }
}

const flag: Form = {
  read: (input) => {
    const value = typeof input === "string" ? input.trim().toLowerCase() : input
    if (value === 1 || value === "1" || value === "true") return true
    return value === 0 || value === "0" || value === "false" ? false : value
  },
  show: TimeInput.show,
  accepted: "0 or 1, false or true",
  json: { enum: [false, true, 0, 1] }
}

const keyPattern = "[A-Za-z0-9_-]{43}=?"

const keys: Form = {
  read: CryptoKeys.read,
  show: CryptoKeys.describe,
  accepted:
    `urlsafe base64 of exactly ${CryptoKeys.keyBytes} bytes, or up to ${CryptoKeys.keysMax} of them separated ` +
    `by commas (make one with \`mccache key\`)`,
  json: {
    type: "string",
    pattern: `^ *${keyPattern} *(, *${keyPattern} *){0,${CryptoKeys.keysMax - 1}}$`
  }
}

const portPattern = "(:([1-9]\\d{0,3}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d{2}|655[0-2]\\d|6553[0-5]))?"

const group: Form = {
  read: MulticastGroup.read,
  show: TimeInput.show,
  accepted: "a multicast address, 224.0.0.0 to 239.255.255.255 or ff00:: and above, with an optional port from 1 to " +
    "65,535, such as 224.0.0.3:4000 or [ff02::1]:4000",
  json: {
    type: "string",
    anyOf: [
      { pattern: `^(22[4-9]|23\\d)(\\.(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)){3}${portPattern}$` },
      // Whether the rest is an address is only known when it is read.
      { pattern: `^\\[[fF]{2}[0-9a-fA-F:]+\\]${portPattern}$` }
    ]
  }
}

const level: Form = {
  ...choice(["all", "trace", "debug", "info", "warn", "error", "fatal", "none"]),
  read: (input) => {
    const name = typeof input === "string" ? input.trim().toLowerCase() : ""
    return `${name.slice(0, 1).toUpperCase()}${name === "warning" ? "arn" : name.slice(1)}`
  }
}

/** `cacheTtl` → `MCCACHE_CACHE_TTL`, `testKeyEntries` → `TEST_KEY_ENTRIES`. */
const variableOf = (option: string): string =>
  (option.startsWith("test") ? "" : "MCCACHE_") + option.replace(/[A-Z]/g, "_$&").toUpperCase()

/**
 * A row as it is written below: `default` and `formerly` where there are any, the rest made of the names and the form.
 */
interface Row {
  readonly option: string
  readonly field: keyof Fields
  readonly form: Form
  readonly default?: string
  readonly defaultText: string
  readonly formerly?: ReadonlyArray<string>
  readonly description: string
}

const setting = ({ default: initial, form, formerly = [], option, ...row }: Row): Setting => ({
  ...row,
  ...form,
  option,
  variable: variableOf(option),
  default: initial,
  formerly
})

/** Every setting, in the order of the documentation. */
export const settings: ReadonlyArray<Setting> = [
  setting({
    option: "cacheTtl",
    field: "cacheTtlMillis",
    form: ttl,
    default: "3600",
    defaultText: "3600 s",
    formerly: ["MCCACHE_TTL"],
    description: "How long an entry lives; an update resets it; 0 is for ever. A plain number is seconds."
  }),
  setting({
    option: "cacheMax",
    field: "cacheMax",
    form: count(1, 8_000_000, "entries"),
    default: "256",
    defaultText: "256 entries",
    description: "Entries per namespace."
  }),
  setting({
    option: "cacheSize",
    field: "cacheSizeBytes",
    form: count(1_024, 2 ** 40, "bytes"),
    default: "8388608",
    defaultText: "8,388,608 bytes",
    description: "Bytes per namespace, of encoded keys and values; also the bound of a single value."
  }),
  setting({
    option: "cacheMode",
    field: "cacheMode",
    form: numbered({ 0: "partial", 1: "full", 2: "invalidate" }),
    default: "1",
    defaultText: "1",
    description: "0 partial: only members that hold a key are updated · 1 full: all hold all · 2 invalidate: others " +
      "drop the key, values never travel."
  }),
  setting({
    option: "cachePulse",
    field: "cachePulseMillis",
    form: time("1 second to 24 hours", [second, 24 * hour]),
    default: "300",
    defaultText: "300 s",
    formerly: ["MCCACHE_SYNC_PULSE"],
    description: "Full check of keys and stamps; a light digest rides on every heartbeat."
  }),
  setting({
    option: "cacheCollision",
    field: "cacheCollision",
    form: choice(["tie", "latest"]),
    default: "tie",
    defaultText: "tie",
    description: "Concurrent writes of one key: `tie` drops both, `latest` lets the writer's id decide."
  }),
  setting({
    option: "cacheEviction",
    field: "cacheEviction",
    form: choice(["updated", "used"]),
    defaultText: "updated (mode 1), used (modes 0, 2)",
    description: "Which entry leaves a full namespace: the least recently updated or used. `used` is refused in mode " +
      "1."
  }),
  setting({
    option: "cryptoKey",
    field: "cryptoKeys",
    form: keys,
    defaultText: "none",
    description: "The cluster's key. Several, comma-separated: the first seals, all open."
  }),
  setting({
    option: "insecure",
    field: "insecure",
    form: flag,
    default: "0",
    defaultText: "0",
    description: "1 allows other interfaces than loopback without a key."
  }),
  setting({
    option: "cluster",
    field: "cluster",
    form: text("a name of 1 to 255 characters", 255),
    defaultText: "the name in the nearest package.json, else mccache",
    description: "Members with another name, or key, ignore each other."
  }),
  setting({
    option: "packetMtu",
    field: "packetMtu",
    form: count(508, 65_507, "bytes"),
    defaultText: "1472 bytes, less where the interface has less; on loopback the largest that measures best",
    formerly: ["MCCACHE_MTU"],
    description: "The whole UDP payload; members with different ones still talk."
  }),
  setting({
    option: "multicastIp",
    field: "multicastGroup",
    form: group,
    default: "224.0.0.3:4000",
    defaultText: "224.0.0.3:4000",
    description: "Address and optional port of the group."
  }),
  setting({
    option: "multicastHops",
    field: "multicastHops",
    form: count(1, 255, "hops"),
    default: "1",
    defaultText: "1",
    description: "The hop limit of multicasts: routers on the way + 1. A group of 224.0.0.0/24 passes none."
  }),
  setting({
    option: "interface",
    field: "interface",
    form: text("an interface's address or name, or auto", 255),
    default: "auto",
    defaultText: "auto",
    description:
      "The interface's address or name; auto is the first that reaches beyond the host, without a key loopback."
  }),
  setting({
    option: "callbackWin",
    field: "callbackWindowMillis",
    form: time("0 to 1 hour", [0, hour]),
    default: "5",
    defaultText: "5 s",
    description: "A remote change of a key that was looked up within this time is reported to `onChange`; 0 reports " +
      "none."
  }),
  setting({
    option: "daemonSleep",
    field: "daemonSleepMillis",
    form: time("10 milliseconds to 1 minute", [10, minute]),
    default: "2",
    defaultText: "2 s",
    description: "The Housekeeper's longest sleep; timers due sooner wake it."
  }),
  setting({
    option: "logFilename",
    field: "logFilename",
    form: text("a path", 4_096),
    defaultText: "none",
    formerly: ["MCCACHE_DEBUG_LOGFILE"],
    description: "A file to log to, reopened on SIGHUP; unset: the program's own Effect logger."
  }),
  setting({
    option: "logLevel",
    field: "logLevel",
    form: level,
    default: "info",
    defaultText: "info; without a file the program's own",
    description: "The least level that is logged; debug tells each operation, trace the protocol's own, too."
  }),
  setting({
    option: "logFormat",
    field: "logFormat",
    form: choice(["json", "logfmt", "pretty"]),
    default: "logfmt",
    defaultText: "json in a file; without one the program's own",
    description: "The form of the lines: json, logfmt or pretty."
  }),
  setting({
    option: "logKeys",
    field: "logKeys",
    form: choice(["hashed", "plain"]),
    default: "hashed",
    defaultText: "hashed",
    description: "How keys stand in the log, at level debug: hashed under the cluster's key, or plain."
  }),
  setting({
    option: "testRandomSeed",
    field: "testRandomSeed",
    form: count(0, 0xffff_ffff, "the seed"),
    defaultText: "the process id",
    description: "Stress test: the seed."
  }),
  setting({
    option: "testClusterSize",
    field: "testClusterSize",
    form: count(1, 1_000, "members"),
    default: "3",
    defaultText: "3",
    description: "Stress test: members."
  }),
  setting({
    option: "testKeyEntries",
    field: "testKeyEntries",
    form: count(1, 1_000_000, "keys"),
    default: "200",
    defaultText: "200",
    formerly: ["TEST_MAX_ENTRIES"],
    description: "Stress test: keys."
  }),
  setting({
    option: "testDataSizeMix",
    field: "testDataSizeMix",
    form: numbered({ 1: "small", 2: "large", 3: "both" }),
    default: "1",
    defaultText: "1",
    description: "Stress test: 1 small values · 2 large ones · 3 both."
  }),
  setting({
    option: "testRunDuration",
    field: "testRunDurationMillis",
    form: time("1 second to 7 days", [second, 7 * 24 * hour], "minutes"),
    default: "5",
    defaultText: "5 min",
    description: "Stress test: how long it runs. A plain number is minutes."
  }),
  setting({
    option: "testAperture",
    field: "testApertureMillis",
    form: time("0 to 1 minute", [0, minute], "seconds", true),
    default: "0.01",
    defaultText: "0.01 s",
    formerly: ["TEST_TEST_APERTURE"],
    description: "Stress test: the scale of the pauses between operations."
  }),
  setting({
    option: "testMonkeyTantrum",
    field: "testMonkeyTantrumPercent",
    form: percent,
    default: "0",
    defaultText: "0 %",
    description: "Drops that share of the outgoing datagrams of this member, with a warning at start."
  })
]

/** Decodes what was written for a setting; fails with why it is refused, to follow the name of the source. */
export const decode = (self: Setting, input: unknown): Result.Result<unknown, string> =>
  Result.mapError(
    Schema.decodeUnknownResult<Schema.ConstraintDecoder<unknown>>(Fields.fields[self.field])(self.read(input)),
    () => `is ${self.show(input)}; accepted: ${self.accepted}.`
  )

/** The row of an option that the code knows to exist. */
export const byOption = (option: string): Setting => {
  const found = settings.find((row) => row.option === option)
  if (found === undefined) throw new Invariant.InvariantViolation(`No setting is called ${option}.`)
  return found
}
