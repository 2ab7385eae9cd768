/** The JSON Schema of the `"mccache"` field: that it is the committed one, and that it agrees with what the program reads. */
import { assert, describe, it } from "@effect/vitest"
import { Ajv } from "ajv"
import * as Result from "effect/Result"
import { readFileSync } from "node:fs"
import { file, schema, text } from "../scripts/schema.ts"
import * as Protocol from "../src/domain/Protocol.ts"
import { decode, settings } from "../src/domain/SettingTable.ts"
import { samples } from "./runtime/support/SettingSamples.ts"

/** Strict: an unknown keyword or a schema that cannot match is an error of the test. */
const validate = new Ajv({ strict: true, allErrors: true, allowUnionTypes: true, strictTypes: false }).compile(schema)

const accepts = (mccache: unknown): boolean => validate({ name: "a program", mccache })

const key = "sjQNjXGt_AygJrrFUu7C5hN6voq9a9WBBorVXkuD3Xc="

/** Numbers near the bounds of many settings, and beyond them; as text, as people write lists. */
const numbers =
  ("-1 -0.5 0 0.0004 0.001 0.01 0.5 1 1.5 2 3 4 59.5 60 61 100 100.5 101 255 256 507 508 1000 1001 1023 1024 3600 3601 " +
    "9999 10080 10081 65507 65508 86400 86401 1e6 1000001 8388608 8388609 4294967295 4294967296 3153600000 3153600001 " +
    "1099511627776 1099511627777 1e300").split(" ").map(Number)

const words = ("a auto tie latest first updated used info loud json xml plain hashed true 30 30seconds 224.0.0.3 " +
  "239.255.255.255:65535 224.0.0.256 223.0.0.1 224.0.0.3:0 224.0.0.3:65536 [ff02::1]:80 [fe80::1]:80").split(" ")

const texts = ["", " ", "\n", "a\u0007b", "x".repeat(255), "x".repeat(256), "😀".repeat(255), "y".repeat(4_097)]

const durations = ["30 seconds", "30 secs", "-30 seconds", "1.5 minutes"]

const keys = [key, key.slice(0, -2), `${key},${key}`, `${key},`, Array.from({ length: 9 }, () => key).join()]

const others = [true, false, null, [], [1], {}, { seconds: 3 }]

const values: ReadonlyArray<unknown> = [...numbers, ...words, ...texts, ...durations, ...keys, ...others]

describe("docs/mccache.schema.json", () => {
  it("is what the settings say: else run node scripts/schema.ts", () => {
    assert.strictEqual(readFileSync(file, "utf8"), text)
  })

  it("has every setting and every limit of the protocol, and all their defaults are valid", () => {
    const { properties } = schema.definitions.mccache
    assert.deepStrictEqual(Object.keys(properties), [...settings.map(({ option }) => option), "protocol"])
    assert.deepStrictEqual(Object.keys(properties.protocol.properties), Object.keys(Protocol.limits))
    const defaults = Object.entries(properties).flatMap(([name, property]) =>
      "default" in property ? [[name, property.default]] : []
    )
    assert.isAbove(defaults.length, 15)
    assert.isTrue(
      accepts({ ...Object.fromEntries(defaults), protocol: Protocol.make() }),
      JSON.stringify(validate.errors)
    )
  })

  it("accepts a sample of each setting, and all of them together", () => {
    for (const [option, { json }] of Object.entries(samples)) {
      assert.isTrue(accepts({ [option]: json }), `${option}: ${JSON.stringify(validate.errors)}`)
    }
    assert.isTrue(accepts(Object.fromEntries(Object.entries(samples).map(([option, { json }]) => [option, json]))))
    assert.isTrue(accepts(undefined) && validate({}))
  })

  it("accepts nothing that the program refuses, but times as text whose length it cannot tell", () => {
    let accepted = 0
    let refused = 0
    for (const setting of settings) {
      const isTime = setting.field.endsWith("Millis")
      for (const value of values) {
        if (!accepts({ [setting.option]: value })) {
          refused++
          continue
        }
        accepted++
        if (isTime && typeof value === "string") continue
        assert.isTrue(
          Result.isSuccess(decode(setting, value)),
          `${setting.option}: ${JSON.stringify(value)} is accepted by the schema only`
        )
      }
    }
    assert.isAbove(accepted, 200)
    assert.isAbove(refused, 1_000)
  })

  it("accepts every number that the program accepts", () => {
    for (const setting of settings) {
      // Numbers that stand for texts are read, as in the environment, and are no good example.
      for (const value of values) {
        if (typeof value !== "number" || !Result.isSuccess(decode(setting, value))) continue
        // Fractions of a millisecond are rounded to one; the schema begins at the bound.
        if (setting.field.endsWith("Millis") && value > 0 && value < 0.001) continue
        assert.isTrue(accepts({ [setting.option]: value }), `${setting.option}: ${value} is refused by the schema only`)
      }
    }
  })

  it("refuses unknown names, wrong kinds and what is out of bounds, and names the place", () => {
    const invalid: ReadonlyArray<readonly [unknown, string]> = [
      [{ cacheTll: 5 }, "/mccache"],
      [{ cacheTtl: -1 }, "/mccache/cacheTtl"],
      [{ cacheTtl: "10 mins" }, "/mccache/cacheTtl"],
      [{ cacheMax: 1.5 }, "/mccache/cacheMax"],
      [{ cacheMode: 3 }, "/mccache/cacheMode"],
      [{ multicastIp: "10.0.0.1" }, "/mccache/multicastIp"],
      [{ cryptoKey: "short" }, "/mccache/cryptoKey"],
      [{ protocol: { heartbeatMillis: 1 } }, "/mccache/protocol/heartbeatMillis"],
      [{ protocol: { heartbeatMilis: 500 } }, "/mccache/protocol"],
      [{ protocol: 5 }, "/mccache/protocol"],
      [5, "/mccache"],
      [[], "/mccache"]
    ]
    for (const [value, place] of invalid) {
      assert.isFalse(accepts(value), JSON.stringify(value))
      assert.isTrue(validate.errors?.some(({ instancePath }) => instancePath === place), place)
    }
  })
})
