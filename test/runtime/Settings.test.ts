import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type { Options } from "../../src/domain/Configuration.ts"
import { McCacheError } from "../../src/domain/McCacheError.ts"
import * as PackageJson from "../../src/runtime/PackageJson.ts"
import * as Settings from "../../src/runtime/Settings.ts"

const key = "sjQNjXGt_AygJrrFUu7C5hN6voq9a9WBBorVXkuD3Xc="

/** A directory of its own for the test, with a `package.json` of the text, and a directory below. */
const directory = (packageJson?: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const root = fs.mkdtempSync(path.join(os.tmpdir(), "mccache-settings-"))
      fs.mkdirSync(path.join(root, "src", "deep"), { recursive: true })
      if (packageJson !== undefined) fs.writeFileSync(path.join(root, "package.json"), packageJson)
      return root
    }),
    (root) => Effect.sync(() => fs.rmSync(root, { recursive: true }))
  )

const load = (options: Options, env: { readonly [variable: string]: string } = {}, packageJson?: string) =>
  Effect.gen(function*() {
    const root = yield* directory(packageJson ?? "{}")
    return yield* Settings.load(options, { env, cwd: path.join(root, "src", "deep") })
  })

const failure = (options: Options, env: { readonly [variable: string]: string } = {}, packageJson?: string) =>
  Effect.gen(function*() {
    const error = yield* Effect.flip(load(options, env, packageJson))
    assert.instanceOf(error, McCacheError)
    assert.strictEqual(error.reason._tag, "InvalidConfig")
    return error.message
  })

/** Options as a program without types may pass them. */
const untyped = (options: object): Options => options

describe("settings", () => {
  it.effect("are the defaults of the design when nobody says anything", () =>
    Effect.gen(function*() {
      const { configuration, origins, warnings } = yield* load({})
      const { cryptoKeys, protocol, ...fields } = configuration
      assert.deepStrictEqual(fields, {
        cacheTtlMillis: 3_600_000,
        cacheMax: 256,
        cacheSizeBytes: 8_388_608,
        cacheMode: 1,
        cachePulseMillis: 300_000,
        cacheCollision: "tie",
        insecure: false,
        cluster: "mccache",
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
        testMonkeyTantrumPercent: 0
      })
      assert.deepStrictEqual(Redacted.value(cryptoKeys), [])
      assert.strictEqual(protocol.heartbeatMillis, 1_000)
      assert.isTrue(Object.values(origins).every((origin) => origin === "default"))
      assert.deepStrictEqual(warnings, [])
    }))

  it.effect("come from options, then variables, then package.json, then defaults", () =>
    Effect.gen(function*() {
      const { configuration, origins } = yield* load(
        { cacheTtl: "1 minute", protocol: { heartbeatMillis: 100 } },
        { MCCACHE_CACHE_TTL: "120", MCCACHE_CACHE_MAX: "20" },
        JSON.stringify({
          name: "shop",
          mccache: {
            cacheTtl: 180,
            cacheMax: 30,
            cacheSize: 4_096,
            protocol: { heartbeatMillis: 200, stallMillis: 300 }
          }
        })
      )
      assert.strictEqual(configuration.cacheTtlMillis, 60_000)
      assert.strictEqual(configuration.cacheMax, 20)
      assert.strictEqual(configuration.cacheSizeBytes, 4_096)
      assert.strictEqual(configuration.cacheMode, 1)
      assert.strictEqual(configuration.cluster, "shop")
      assert.strictEqual(configuration.protocol.heartbeatMillis, 100)
      assert.strictEqual(configuration.protocol.stallMillis, 300)
      assert.strictEqual(origins.cacheTtl, "option")
      assert.strictEqual(origins.cacheMax, "environment")
      assert.strictEqual(origins.cacheSize, "package.json")
      assert.strictEqual(origins.cacheMode, "default")
      assert.strictEqual(origins["protocol.heartbeatMillis"], "option")
      assert.strictEqual(origins["protocol.stallMillis"], "package.json")
      assert.strictEqual(origins["protocol.abandonMillis"], "default")
    }))

  it.effect("take an undefined option and an empty variable as not given", () =>
    Effect.gen(function*() {
      const { configuration } = yield* load({ cacheMax: undefined }, { MCCACHE_CACHE_MAX: "9", MCCACHE_CRYPTO_KEY: "" })
      assert.strictEqual(configuration.cacheMax, 9)
      assert.deepStrictEqual(Redacted.value(configuration.cryptoKeys), [])
      // In code an empty text is a mistake: a key that was meant must not be missing in silence.
      assert.match(yield* failure({ cryptoKey: "" }), /^option cryptoKey is not shown: key 1 of 1 is empty/)
    }))

  it.effect("tell all bad values at once, each with its place, its value and what is accepted", () =>
    Effect.gen(function*() {
      const message = yield* failure(
        { multicastHops: 300 },
        { MCCACHE_MULTICAST_IP: "10.0.0.1:4000", MCCACHE_CACHE_TTL: "-5", MCCACHE_CRYPTO_KEY: key.slice(0, 20) },
        JSON.stringify({ mccache: { cacheMax: 1.5, protocol: { heartbeatMillis: "soon" } } })
      )
      const lines = message.split("\n")
      assert.strictEqual(lines.length, 6)
      assert.match(lines[0], /^MCCACHE_CACHE_TTL is "-5"; accepted: seconds/)
      assert.match(lines[1], /^"mccache"\.cacheMax in .*package\.json is 1\.5; accepted: a whole number of entries/)
      assert.match(
        lines[2],
        /^MCCACHE_CRYPTO_KEY is not shown: key 1 of 1 decodes to 15 bytes; accepted: urlsafe base64/
      )
      assert.match(lines[3], /^MCCACHE_MULTICAST_IP is "10\.0\.0\.1:4000"; accepted: a multicast address/)
      assert.match(lines[4], /^option multicastHops is 300; accepted: a whole number of hops from 1 to 255/)
      assert.match(
        lines[5],
        /^"mccache"\.protocol in .*\.heartbeatMillis is "soon"; accepted: a whole number from 50 to 60,000/
      )
      assert.notInclude(message, key.slice(0, 8))
    }))

  it.effect("warn of unknown names, with the nearest known one, and of old ones", () =>
    Effect.gen(function*() {
      const { configuration, warnings } = yield* load(
        untyped({ cacheTll: 5, unref: true }),
        {
          MCCACHE_CACHE_MAXX: "5",
          MCCACHE_TTL: "7",
          MCCACHE_SYNC_PULSE: "60",
          MCCACHE_DEBUG_LOGFILE: "a.log",
          MCCACHE_MTU: "1000",
          OTHER: "1",
          TEST_X: "1"
        },
        JSON.stringify({ mccache: { clustr: "x", protocol: { heartbeatMilis: 5 } } })
      )
      assert.strictEqual(configuration.cacheTtlMillis, 7_000)
      assert.strictEqual(configuration.cachePulseMillis, 60_000)
      assert.strictEqual(configuration.logFilename, "a.log")
      assert.strictEqual(configuration.packetMtu, 1_000)
      assert.deepStrictEqual(warnings.map((warning) => warning.replace(/ in \S*package\.json/, "")), [
        "Unknown option cacheTll is ignored; did you mean cacheTtl?",
        "Unknown variable MCCACHE_CACHE_MAXX is ignored; did you mean MCCACHE_CACHE_MAX?",
        "Unknown \"mccache\" field: clustr is ignored; did you mean cluster?",
        "MCCACHE_TTL is an old name; use MCCACHE_CACHE_TTL (default 3600 s).",
        "MCCACHE_SYNC_PULSE is an old name; use MCCACHE_CACHE_PULSE (default 300 s).",
        "MCCACHE_MTU is an old name; use MCCACHE_PACKET_MTU (default 1472 bytes, less where the interface has less; on loopback the largest that measures best).",
        "MCCACHE_DEBUG_LOGFILE is an old name; use MCCACHE_LOG_FILENAME (default none).",
        "Unknown \"mccache\".protocol.heartbeatMilis is ignored; did you mean heartbeatMillis?"
      ])
    }))

  it.effect("prefer a name to its old one, and say so", () =>
    Effect.gen(function*() {
      const { configuration, warnings } = yield* load({}, { MCCACHE_TTL: "7", MCCACHE_CACHE_TTL: "8" })
      assert.strictEqual(configuration.cacheTtlMillis, 8_000)
      assert.deepStrictEqual(warnings, [
        "MCCACHE_TTL is ignored: it is an old name of MCCACHE_CACHE_TTL, and MCCACHE_CACHE_TTL is set."
      ])
    }))

  it.effect("refuse what each setting allows but all together do not", () =>
    Effect.gen(function*() {
      assert.match(
        yield* failure({ cacheEviction: "used" }),
        /^option cacheEviction is "used", but cacheMode is 1 \(full\)/
      )
      assert.match(
        yield* failure({}, { MCCACHE_CACHE_EVICTION: "used", MCCACHE_CACHE_MODE: "1" }),
        /^MCCACHE_CACHE_EVICTION is "used", but MCCACHE_CACHE_MODE is 1 \(full\)/
      )
      assert.strictEqual((yield* load({ cacheEviction: "used", cacheMode: 0 })).configuration.cacheEviction, "used")
      assert.match(
        yield* failure({ protocol: { suspectMillis: 20_000 } }),
        /^protocol\.suspectMillis \(20,000\) must be less than protocol\.removeMillis \(15,000\)\.$/
      )
      assert.match(
        yield* failure({ protocol: { reassemblyBytesMax: 2_000_000 } }),
        /^cacheSize \(8388608\) must be .* protocol\.reassemblyBytesMax \(2000000\)/
      )
    }))

  it.effect("give room to reassemble values of a large cache", () =>
    Effect.gen(function*() {
      const { configuration } = yield* load({ cacheSize: 2 ** 30 })
      assert.strictEqual(configuration.protocol.reassemblyBytesMax, 2 ** 31)
    }))

  it.effect("do not use a package.json that cannot be read, and say so", () =>
    Effect.gen(function*() {
      for (const text of ["{ \"name\": ", "[1]", "5"]) {
        const { configuration, warnings } = yield* load({}, {}, text)
        assert.strictEqual(configuration.cluster, "mccache")
        assert.strictEqual(warnings.length, 1)
        assert.match(warnings[0], /package\.json is not used: /)
      }
    }))

  it.effect("say where a package.json could not be looked for", () =>
    Effect.gen(function*() {
      // A directory that cannot be searched fails in the same place, but not for root.
      const { configuration, warnings } = yield* Settings.load({}, { env: {}, cwd: `/${"x".repeat(300)}` })
      assert.strictEqual(configuration.cluster, "mccache")
      assert.strictEqual(warnings.length, 1)
      assert.match(warnings[0], /package\.json is not used: ENAMETOOLONG/)
    }))

  it("use no package.json where the working directory was removed", () => {
    const before = process.cwd()
    const removed = fs.mkdtempSync(path.join(os.tmpdir(), "mccache-removed-"))
    try {
      process.chdir(removed)
      fs.rmdirSync(removed)
      assert.isUndefined(Effect.runSync(PackageJson.nearest()))
    } finally {
      process.chdir(before)
    }
  })

  it.effect("refuse a malformed mccache field", () =>
    Effect.gen(function*() {
      for (const field of [5, "text", null, [1]]) {
        const text = JSON.stringify({ mccache: field })
        assert.match(yield* failure({}, {}, text), /^"mccache" in .*package\.json is not an object\.$/)
      }
      assert.match(
        yield* failure({}, {}, "{\"mccache\":{\"protocol\":5}}"),
        /^"mccache"\.protocol in .* is not an object\.$/
      )
    }))

  it.effect("read the nearest package.json only", () =>
    Effect.gen(function*() {
      const root = yield* directory(JSON.stringify({ name: "outer", mccache: { cacheMax: 1 } }))
      fs.writeFileSync(path.join(root, "src", "package.json"), JSON.stringify({ name: "@scope/inner" }))
      const inner = yield* Settings.load({}, { env: {}, cwd: path.join(root, "src", "deep") })
      assert.strictEqual(inner.configuration.cluster, "@scope/inner")
      assert.strictEqual(inner.configuration.cacheMax, 256)
      const outer = yield* Settings.load({}, { env: {}, cwd: root })
      assert.strictEqual(outer.configuration.cluster, "outer")
      assert.strictEqual((yield* PackageJson.nearest(root))?.path, path.join(root, "package.json"))
    }))

  it.effect("warn of a key in package.json, and use it", () =>
    Effect.gen(function*() {
      const { configuration, warnings } = yield* load({}, {}, JSON.stringify({ mccache: { cryptoKey: key } }))
      assert.strictEqual(Redacted.value(configuration.cryptoKeys).length, 1)
      assert.match(
        warnings[0],
        /^The key in .*package\.json is known to all who can read that file; use MCCACHE_CRYPTO_KEY\.$/
      )
      assert.notInclude(JSON.stringify(configuration), key.slice(0, 8))
    }))

  it.effect("come from Effect's own provider when a program gives one", () =>
    Effect.gen(function*() {
      const provider = ConfigProvider.fromUnknown({ MCCACHE_CACHE_MAX: 77, MCCACHE_CLUSTER: "effect" })
      const { configuration, origins } = yield* Settings.load({}, {
        provider,
        env: { MCCACHE_CACHE_MAX: "5" },
        cwd: "/"
      })
      assert.strictEqual(configuration.cacheMax, 77)
      assert.strictEqual(configuration.cluster, "effect")
      assert.strictEqual(origins.cluster, "environment")
    }))

  it.effect("come from the process unless told otherwise", () =>
    Effect.gen(function*() {
      const { configuration } = yield* Settings.load()
      assert.strictEqual(configuration.cluster, "mccache")
    }))
})
