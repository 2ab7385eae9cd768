import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { Configuration } from "../../src/domain/Configuration.ts"
import { Fields } from "../../src/domain/Configuration.ts"
import { McCacheError } from "../../src/domain/McCacheError.ts"
import type { NamespaceOptions as Options } from "../../src/domain/NamespaceOptions.ts"
import * as NamespaceOptions from "../../src/domain/NamespaceOptions.ts"
import * as NearestName from "../../src/domain/NearestName.ts"
import * as Protocol from "../../src/domain/Protocol.ts"
import * as SettingTable from "../../src/domain/SettingTable.ts"
import * as TimeInput from "../../src/domain/TimeInput.ts"

const read = (option: string, input: unknown) => SettingTable.decode(SettingTable.byOption(option), input)

const accepts = (option: string, input: unknown, expected: unknown) =>
  assert.deepStrictEqual(read(option, input), Result.succeed(expected), `${option} ${String(input)}`)

const refuses = (option: string, input: unknown, expected: RegExp) => {
  const result = read(option, input)
  assert.isTrue(Result.isFailure(result), `${option} ${TimeInput.show(input)} is accepted`)
  if (Result.isFailure(result)) assert.match(result.failure, expected)
}

const invalid = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    assert.instanceOf(error, McCacheError)
    assert.strictEqual(error.reason._tag, "InvalidConfig")
    return error.message
  }
  return assert.fail("nothing was thrown")
}

/** 32 bytes as the keys of McCache for Python stand in its documentation: urlsafe, padded. */
const padded = "sjQNjXGt_AygJrrFUu7C5hN6voq9a9WBBorVXkuD3Xc="

describe("settings", () => {
  it("stand in the table once for each field, under the names of the design", () => {
    const fields = SettingTable.settings.map((setting) => setting.field)
    assert.deepStrictEqual(fields.toSorted(), Object.keys(Fields.fields).toSorted())
    const names = SettingTable.settings.map((setting) => setting.variable)
    assert.deepStrictEqual(names, [
      "MCCACHE_CACHE_TTL",
      "MCCACHE_CACHE_MAX",
      "MCCACHE_CACHE_SIZE",
      "MCCACHE_CACHE_MODE",
      "MCCACHE_CACHE_PULSE",
      "MCCACHE_CACHE_COLLISION",
      "MCCACHE_CACHE_EVICTION",
      "MCCACHE_CRYPTO_KEY",
      "MCCACHE_INSECURE",
      "MCCACHE_CLUSTER",
      "MCCACHE_PACKET_MTU",
      "MCCACHE_MULTICAST_IP",
      "MCCACHE_MULTICAST_HOPS",
      "MCCACHE_INTERFACE",
      "MCCACHE_CALLBACK_WIN",
      "MCCACHE_DAEMON_SLEEP",
      "MCCACHE_LOG_FILENAME",
      "MCCACHE_LOG_LEVEL",
      "MCCACHE_LOG_FORMAT",
      "MCCACHE_LOG_KEYS",
      "TEST_RANDOM_SEED",
      "TEST_CLUSTER_SIZE",
      "TEST_KEY_ENTRIES",
      "TEST_DATA_SIZE_MIX",
      "TEST_RUN_DURATION",
      "TEST_APERTURE",
      "TEST_MONKEY_TANTRUM"
    ])
  })

  it("have defaults that they accept", () => {
    for (const setting of SettingTable.settings) {
      if (setting.default !== undefined) assert.isTrue(Result.isSuccess(SettingTable.decode(setting, setting.default)))
    }
  })

  it("accept exactly what their message says of numbers", () => {
    for (const setting of SettingTable.settings) {
      const { maximum, minimum, type } = setting.json
      if (type !== "integer" || typeof minimum !== "number" || typeof maximum !== "number") continue
      accepts(setting.option, minimum, minimum)
      accepts(setting.option, String(maximum), maximum)
      for (
        const input of [minimum - 1, maximum + 1, minimum + 0.5, NaN, Infinity, "", " ", "many", "0x10", true, null, {}]
      ) {
        refuses(setting.option, input, new RegExp(`accepted: a whole number .* to ${maximum.toLocaleString("en-US")}`))
      }
    }
  })

  it("take a plain number of time as seconds, and all else as Effect reads it", () => {
    for (
      const input of [
        600,
        "600",
        " 600.0 ",
        "10 minutes",
        Duration.minutes(10),
        { minutes: 10 },
        [600, 0],
        600_000_000_000n
      ]
    ) {
      accepts("cacheTtl", input, 600_000)
      accepts("cachePulse", input, 600_000)
    }
    accepts("callbackWin", "250 millis", 250)
    accepts("testRunDuration", "5", 300_000)
    accepts("testRunDuration", "30 seconds", 30_000)
    accepts("testAperture", "0.0005", 0.5)
  })

  it("take 0 and Infinity as for ever, and no other time below a millisecond or above a century", () => {
    for (const input of [0, -0, "0", "0 seconds", Infinity, "Infinity", Duration.infinity]) {
      accepts("cacheTtl", input, 0)
    }
    accepts("cacheTtl", 0.001, 1)
    accepts("cacheTtl", 1.2345, 1_235)
    accepts("cacheTtl", 100 * 365 * 86_400, TimeInput.millisMax)
    for (
      const input of [
        -1,
        "-1 seconds",
        0.0004,
        NaN,
        "NaN",
        "-Infinity",
        "10 mins",
        "soon",
        "",
        {},
        { minuts: 3 },
        { minutes: "3" },
        [1],
        null,
        () => 1
      ]
    ) refuses("cacheTtl", input, /^is .*; accepted: seconds from 0\.001/)
    refuses("cacheTtl", 101 * 365 * 86_400, /accepted/)
  })

  it("take modes, policies, levels and flags by their names only", () => {
    accepts("cacheMode", "2", 2)
    accepts("cacheCollision", " Latest ", "latest")
    accepts("logLevel", "WARNING", "Warn")
    accepts("insecure", "true", true)
    accepts("insecure", 0, false)
    refuses("cacheMode", 3, /^is 3; accepted: 0 \(partial\), 1 \(full\), 2 \(invalidate\)\.$/)
    refuses("cacheMode", "1.5", /^is "1\.5"/)
    refuses("cacheCollision", "first", /accepted: tie, latest/)
    refuses("logLevel", "loud", /accepted: all, trace/)
    refuses("insecure", "yes", /accepted: 0 or 1/)
    refuses("insecure", 2, /accepted: 0 or 1/)
    accepts("testMonkeyTantrum", "2.5 %", 2.5)
    refuses("testMonkeyTantrum", 101, /percentage from 0 to 100/)
  })

  it("take multicast addresses only, with ports that exist", () => {
    accepts("multicastIp", "224.0.0.3:4000", { address: "224.0.0.3", port: 4_000 })
    accepts("multicastIp", "239.255.255.255", { address: "239.255.255.255", port: 4_000 })
    accepts("multicastIp", "[ff02::1]:65535", { address: "ff02::1", port: 65_535 })
    accepts("multicastIp", "[ff02::1]", { address: "ff02::1", port: 4_000 })
    accepts("multicastIp", "FF02:0:0::1", { address: "ff02::1", port: 4_000 })
    for (
      const input of [
        "223.255.255.255",
        "240.0.0.0",
        "10.0.0.1:4000",
        "224.0.0.3:70000",
        "224.0.0.3:0",
        "224.0.0.3:",
        "224.0.0.3:x",
        "224.0.0",
        "[fe80::1]:4000",
        "[224.0.0.3]:4000",
        "[ff02::1:4000",
        "localhost:4000",
        "",
        4_000
      ]
    ) refuses("multicastIp", input, /accepted: a multicast address, .* port from 1 to 65,535/)
  })

  describe("of keys", () => {
    const bytesOf = (input: unknown) => {
      const result = read("cryptoKey", input)
      assert.isTrue(Result.isSuccess(result) && Redacted.isRedacted(result.success))
      return Result.isSuccess(result) && Redacted.isRedacted(result.success)
        ? Redacted.value(result.success)
        : undefined
    }
    const one = Uint8Array.from(Buffer.from(padded, "base64url"))

    it("take one or several, padded or not, as text, list or redacted", () => {
      assert.deepStrictEqual(bytesOf(padded), [one])
      assert.deepStrictEqual(bytesOf(padded.slice(0, -1)), [one])
      assert.deepStrictEqual(bytesOf(` ${padded} , ${padded}`), [one, one])
      assert.deepStrictEqual(bytesOf([padded, padded]), [one, one])
      assert.deepStrictEqual(bytesOf(Redacted.make(padded)), [one])
    })

    it("tell which is wrong and why, and never show one", () => {
      const short = padded.slice(0, 40)
      const cases: ReadonlyArray<readonly [unknown, RegExp]> = [
        [short, /key 1 of 1 decodes to 30 bytes/],
        [`${padded},${padded}${padded}`, /key 2 of 2 is not urlsafe base64/],
        [padded.replace("_", "/"), /key 1 of 1 is not urlsafe base64/],
        [`${padded},`, /key 2 of 2 is empty/],
        ["", /key 1 of 1 is empty/],
        [Array.from({ length: 9 }, () => padded), /9 keys/],
        [[padded, 5], /not text/],
        [new Uint8Array(32), /not text/]
      ]
      for (const [input, expected] of cases) {
        refuses("cryptoKey", input, expected)
        const result = read("cryptoKey", input)
        if (Result.isFailure(result)) assert.notInclude(result.failure, padded.slice(0, 8))
      }
    })

    it("are shown by nothing that prints the configuration", () => {
      const result = read("cryptoKey", padded)
      const printed = JSON.stringify(result) + String(Result.isSuccess(result) ? result.success : "")
      assert.notInclude(printed, padded.slice(0, 8))
      assert.notInclude(printed, String(one[0]) + "," + String(one[1]))
      assert.include(printed, "redacted")
    })
  })

  it("suggest the nearest name when one is near", () => {
    const names = SettingTable.settings.map((setting) => setting.option)
    assert.strictEqual(NearestName.didYouMean("cacheTlt", names), "; did you mean cacheTtl?")
    assert.strictEqual(NearestName.didYouMean("CACHETTL", names), "; did you mean cacheTtl?")
    assert.strictEqual(NearestName.didYouMean("cachePulses", names), "; did you mean cachePulse?")
    assert.strictEqual(NearestName.didYouMean("colour", names), ".")
  })
})

describe("ttlMillis", () => {
  it("takes a plain number as seconds, down to a millisecond", () => {
    assert.strictEqual(TimeInput.ttlMillis(2), 2_000)
    assert.strictEqual(TimeInput.ttlMillis(0.25), 250)
    assert.strictEqual(TimeInput.ttlMillis(0.001), 1)
    assert.strictEqual(TimeInput.ttlMillis(0), 0)
    assert.strictEqual(TimeInput.ttlMillis(Infinity), 0)
    assert.strictEqual(TimeInput.ttlMillis("10 minutes"), 600_000)
    assert.strictEqual(TimeInput.ttlMillis(Duration.millis(1.4)), 1)
  })

  it("refuses what is negative, no number, or too short or long to be meant", () => {
    for (const input of [-1, -0.001, NaN, 0.0001, 1e12, -Infinity]) {
      assert.match(invalid(() => TimeInput.ttlMillis(input)), /^ttl is .*; accepted: seconds from 0\.001/)
    }
    assert.match(invalid(() => TimeInput.ttlMillis(Duration.seconds(-3))), /^ttl is -3000 millis;/)
  })
})

describe("protocol", () => {
  it("has defaults that lie within their bounds and keep all relations", () => {
    for (const [name, { default: value }] of Object.entries(Protocol.limits)) {
      assert.isTrue(Protocol.isName(name) && Protocol.isWithin(name, value), name)
    }
    assert.deepStrictEqual(Protocol.problems(Protocol.make()), [])
    assert.strictEqual(Protocol.make().clockAheadMillisMax, Protocol.limits.clockAheadMillisMax.default)
  })

  it("names both sides of each relation that an override breaks", () => {
    for (const [lesser, relation, greater] of Protocol.relations) {
      const protocol = { ...Protocol.make(), [lesser]: 1_000, [greater]: relation === "<" ? 1_000 : 999 }
      const found = Protocol.problems(protocol).filter((problem) => problem.startsWith(`protocol.${lesser} (1,000)`))
      assert.isTrue(
        found.some((problem) => problem.includes(`protocol.${greater} (`)),
        `${lesser} ${relation} ${greater}`
      )
      const kept = { ...Protocol.make(), [lesser]: 1_000, [greater]: relation === "<" ? 1_001 : 1_000 }
      const left = Protocol.problems(kept).filter((problem) =>
        problem.startsWith(`protocol.${lesser} (1,000)`) && problem.includes(`protocol.${greater} (`)
      )
      assert.deepStrictEqual(left, [])
    }
  })

  it("lets no member refuse one that rightly keeps its own clock", () => {
    assert.strictEqual(Protocol.make({ clockKeepMillis: 300, outboxAheadMillisMax: 50 }).clockAheadMillisMax, 650)
    const [problem] = Protocol.problems(Protocol.make({ clockAheadMillisMax: 499 }))
    assert.match(
      problem,
      /clockAheadMillisMax \(499\) must be at least 2 × protocol\.clockKeepMillis \(125\) \+ .*\(250\)/
    )
    assert.deepStrictEqual(Protocol.problems(Protocol.make({ clockAheadMillisMax: 5_000 })), [])
  })

  it("keeps as many tombstones as the design says, and as a Map can hold", () => {
    const protocol = Protocol.make()
    assert.strictEqual(Protocol.tombstonesMax(protocol, 256), 65_536)
    assert.strictEqual(Protocol.tombstonesMax(protocol, 100_000), 1_600_000)
    assert.strictEqual(Protocol.tombstonesMax(protocol, 1_000_000), Protocol.recordsMax)
    assert.strictEqual(Protocol.tombstonesMax(Protocol.make({ tombstonesMax: 10 }), 256), 10)
  })

  it("can reassemble the largest value of the configured size", () => {
    assert.strictEqual(Protocol.make({}, 1_000).reassemblyBytesMax, 64 * 1_048_576)
    assert.strictEqual(Protocol.make({}, 2 ** 30).reassemblyBytesMax, 2 ** 31)
    assert.strictEqual(Protocol.make({ reassemblyBytesMax: 5_000_000 }, 2 ** 30).reassemblyBytesMax, 5_000_000)
  })
})

describe("options of a namespace", () => {
  const configuration: Configuration = {
    cacheTtlMillis: 3_600_000,
    cacheMax: 256,
    cacheSizeBytes: 8_388_608,
    cacheMode: 1,
    cachePulseMillis: 300_000,
    cacheCollision: "tie",
    cryptoKeys: Redacted.make([]),
    insecure: false,
    cluster: "test",
    multicastGroup: { address: "224.0.0.3", port: 4_000 },
    multicastHops: 1,
    interface: "auto",
    callbackWindowMillis: 5_000,
    daemonSleepMillis: 2_000,
    logLevel: "Info",
    logFormat: "logfmt",
    logKeys: "hashed",
    testClusterSize: 3,
    testKeyEntries: 200,
    testDataSizeMix: 1,
    testRunDurationMillis: 300_000,
    testApertureMillis: 10,
    testMonkeyTantrumPercent: 0,
    protocol: Protocol.make()
  }
  const resolve = (options: Options, changes: Partial<Configuration> = {}) =>
    NamespaceOptions.resolve({ ...configuration, ...changes }, options, "users")

  it("come from the configuration where they are not given", () => {
    assert.deepStrictEqual(resolve({}), {
      mode: 1,
      ttlMillis: 3_600_000,
      cacheMax: 256,
      cacheSizeBytes: 8_388_608,
      collision: "tie",
      eviction: "updated",
      callbackWindowMillis: 5_000,
      tombstonesMax: 65_536,
      tombstoneHorizonMillis: 3_600_000
    })
    const own = {
      mode: 2,
      ttl: "1 minute",
      max: 10_000,
      size: 5_000,
      collision: "latest",
      eviction: "updated",
      callbackWin: 1
    } as const
    assert.deepStrictEqual(resolve(own), {
      mode: 2,
      ttlMillis: 60_000,
      cacheMax: 10_000,
      cacheSizeBytes: 5_000,
      collision: "latest",
      eviction: "updated",
      callbackWindowMillis: 1_000,
      tombstonesMax: 160_000,
      tombstoneHorizonMillis: 3_600_000
    })
    assert.deepStrictEqual(resolve({ ttl: undefined }), resolve({}))
  })

  it("evict by mode unless told otherwise", () => {
    assert.strictEqual(resolve({ mode: 0 }).eviction, "used")
    assert.strictEqual(resolve({ mode: 2 }).eviction, "used")
    assert.strictEqual(resolve({ mode: 0 }, { cacheEviction: "updated" }).eviction, "updated")
    assert.strictEqual(resolve({ mode: 1 }, { cacheMode: 0, cacheEviction: "used" }).eviction, "updated")
    assert.match(
      invalid(() => resolve({ eviction: "used" })),
      /^cache "users": option eviction is "used", but option mode is 1 \(full\).*accepted: updated\.$/
    )
    assert.strictEqual(resolve({ mode: 0, eviction: "used" }).eviction, "used")
  })

  it("are refused by the same bounds as the configuration, with the name of the cache", () => {
    assert.match(invalid(() => resolve({ ttl: -1 })), /^cache "users": option ttl is -1; accepted: seconds/)
    assert.match(
      invalid(() => resolve({ max: 1.5 })),
      /^cache "users": option max is 1\.5; accepted: a whole number of entries/
    )
    assert.match(
      invalid(() => resolve({ size: 10 })),
      /option size is 10; accepted: a whole number of bytes from 1,024/
    )
  })

  it("are refused when the protocol cannot serve them", () => {
    assert.match(
      invalid(() => resolve({ size: 2 ** 30 })),
      /option size \(1073741824\) must be .* protocol\.reassemblyBytesMax \(67108864\)/
    )
  })

  it("are told apart by what must be equal, and by what may differ", () => {
    const fingerprint = (options: Options) => NamespaceOptions.fingerprint(resolve(options))
    const sizing = (options: Options) => NamespaceOptions.sizing(resolve(options))
    for (const options of [{ mode: 0, eviction: "updated" }, { collision: "latest" }] as const) {
      assert.notStrictEqual(fingerprint(options), fingerprint({}))
      assert.strictEqual(sizing(options), sizing({}))
    }
    assert.notStrictEqual(fingerprint({ mode: 0 }), fingerprint({ mode: 0, eviction: "updated" }))
    for (const options of [{ ttl: 1 }, { max: 1 }, { size: 2_000 }]) {
      assert.strictEqual(fingerprint(options), fingerprint({}))
      assert.notStrictEqual(sizing(options), sizing({}))
    }
  })

  it("that nobody knows are warned of, with the nearest known one", () => {
    const options = { tll: 5, value: undefined, onChange: undefined, max: 3 }
    assert.deepStrictEqual(NamespaceOptions.warnings(options), [
      "Unknown option tll of a cache is ignored; did you mean ttl?"
    ])
  })
})
