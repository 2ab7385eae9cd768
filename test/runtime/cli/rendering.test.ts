/** How the command reads what it is given and shows what it found. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Printable from "../../../src/domain/Printable.ts"
import * as SettingTable from "../../../src/domain/SettingTable.ts"
import * as Stamp from "../../../src/domain/Stamp.ts"
import * as EffectiveConfig from "../../../src/runtime/cli/EffectiveConfig.ts"
import { typed } from "../../../src/runtime/cli/Entries.ts"
import * as Keys from "../../../src/runtime/cli/Keys.ts"
import * as Show from "../../../src/runtime/cli/Show.ts"
import * as Table from "../../../src/runtime/cli/Table.ts"
import * as Times from "../../../src/runtime/cli/Times.ts"
import * as Watch from "../../../src/runtime/cli/Watch.ts"
import * as Settings from "../../../src/runtime/Settings.ts"
import * as ValueCodec from "../../../src/services/ValueCodec.ts"

const escape = String.fromCharCode(27)

describe("keys", () => {
  it("are quoted where a text would read as something else", () => {
    const shown: ReadonlyArray<readonly [string | number, string]> = [
      [42, "42"],
      ["42", "\"42\""],
      ["ada", "ada"],
      [" ada", "\" ada\""],
      ["\"ada\"", "\"\\\"ada\\\"\""],
      ["a\nb", "\"a\\nb\""],
      [-0.5, "-0.5"]
    ]
    for (const [key, text] of shown) assert.strictEqual(Show.key(key), text)
  })

  it("come numbers first, each kind in its own order", () => {
    assert.deepStrictEqual(["b", 10, "a", 9, "B"].sort(Show.byKey), [9, 10, "B", "a", "b"])
  })

  it("listed by several members count once, as the newest says", () => {
    const writer = "0".repeat(32)
    const item = (key: string | number, clock: number, kind: 0 | 1 = 0) => ({ key, clock, writer, kind, bytes: 1 })
    const merged = Keys.merge([[item("a", 1), item("b", 1), item(1, 1)], [item("a", 2, 1), item("b", 0, 1)]])
    assert.deepStrictEqual(merged.map(({ key }) => key), [1, "b"])
  })
})

describe("values", () => {
  it("are shown as JSON can say them", () => {
    const circular: { self?: unknown } = {}
    circular.self = circular
    const twice = { a: 1 }
    const shown: ReadonlyArray<readonly [unknown, unknown]> = [
      [undefined, null],
      [10n, "10"],
      [NaN, "NaN"],
      [new Date(0), "1970-01-01T00:00:00.000Z"],
      [new Date(NaN), "Invalid Date"],
      [new Map([[1, new Set(["x"])]]), [[1, ["x"]]]],
      [new Uint8Array([1, 2, 3]), "AQID"],
      [new RangeError("no"), { name: "RangeError", message: "no" }],
      [circular, { self: "[circular]" }],
      [[twice, twice], [{ a: 1 }, { a: 1 }]],
      [{ a: [1, undefined] }, { a: [1, null] }]
    ]
    for (const [value, json] of shown) assert.deepStrictEqual(Show.json(value), json)
  })

  it("typed as JSON are that, and texts else", () => {
    assert.deepStrictEqual(typed("{\"a\":1}", false), { a: 1 })
    assert.strictEqual(typed("true", false), true)
    assert.strictEqual(typed("true", true), "true")
    assert.strictEqual(typed("{a:1}", false), "{a:1}")
    assert.strictEqual(typed("", false), "")
  })

  it("are cut on one line", () => {
    assert.strictEqual(Show.brief({ a: "x".repeat(20) }, 10), "{\"a\":\"xxx…")
    assert.strictEqual(Show.brief("a\nb", 10), "\"a\\nb\"")
  })
})

describe("numbers", () => {
  it("have units", () => {
    assert.strictEqual(Show.bytes(1_023), "1,023 B")
    assert.strictEqual(Show.bytes(1_572_864), "1.5 MiB")
    assert.strictEqual(Show.millis(0.25), "0.3 ms")
    assert.strictEqual(Show.millis(3_600_000), "3,600 s")
    assert.strictEqual(Show.percent(1, 3), "33.3 %")
    assert.strictEqual(Show.percent(0, 0), "")
  })
})

describe("times", () => {
  it("are seconds, or have a unit", () => {
    const read: ReadonlyArray<readonly [string, number | undefined]> = [
      ["10", 10_000],
      ["0.5", 500],
      ["10s", 10_000],
      ["250ms", 250],
      ["1.5 h", 5_400_000],
      ["10 minutes", 600_000],
      ["0", 0],
      ["-1", undefined],
      ["soon", undefined],
      ["", undefined],
      ["99999999999999d", undefined]
    ]
    for (const [text, millis] of read) assert.strictEqual(Times.read(text), millis, text)
  })
})

describe("tables", () => {
  it("align what is wide on a terminal, not what is long", () => {
    const lines = Table.render({
      columns: [{ title: "Name" }, { title: "N", align: "right" }],
      rows: [["ファイル", "1"], ["ada", "1,000"]]
    })
    assert.deepStrictEqual(lines, ["Name          N", "ファイル      1", "ada       1,000"])
  })

  it("mark their titles only", () => {
    const lines = Table.render({ columns: [{ title: "A" }], rows: [["b"]] }, (text) => `<${text}>`)
    assert.deepStrictEqual(lines, ["<A>", "b"])
  })

  it("let nothing through that a terminal would do", () => {
    const units = Array.from({ length: 0x3000 }, (_, unit) => String.fromCharCode(unit)).join("")
    const text = Table.render({ columns: [{ title: "A" }], rows: [[units]] }).join("")
    assert.isFalse(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/u.test(text))
    assert.include(text, "\\u001b")
  })
})

describe("the configuration", () => {
  it.effect("is shown for every setting, without a key", () =>
    Effect.gen(function*() {
      const key = "A".repeat(43)
      const { configuration } = yield* Settings.load({}, { env: { MCCACHE_CRYPTO_KEY: key }, cwd: "/" })
      const shown = new Map(
        SettingTable.settings.map((setting) => [setting.option, EffectiveConfig.shown(configuration, setting)])
      )
      assert.strictEqual(shown.get("cryptoKey"), "1 (hidden)")
      assert.strictEqual(shown.get("cacheTtl"), "3,600 s")
      assert.strictEqual(shown.get("cacheSize"), "8,388,608 bytes")
      assert.strictEqual(shown.get("multicastIp"), "224.0.0.3:4000")
      assert.strictEqual(shown.get("insecure"), "0")
      for (const [option, text] of shown) assert.notInclude(text, key, option)
      assert.strictEqual(shown.size, SettingTable.settings.length)
    }))
})

describe("a write that is overheard", () => {
  const writer = "ab".repeat(16)
  const clock = Stamp.fromMillis(Date.UTC(2026, 0))
  const value = ValueCodec.structured().encode({ name: "Ada" })
  const put = { _tag: "PUT", namespace: "n", key: 1, clock, writer, expiresAt: 0, crc: 0, value } as const

  it("is a set with its value, or in mode 2 only the news", () => {
    assert.deepInclude(Watch.seen(put, () => "web:1"), { type: "set", value: { name: "Ada" }, member: "web:1", key: 1 })
    assert.deepInclude(Watch.seen({ ...put, value: undefined }, () => undefined), {
      type: "invalidate",
      member: "abababab"
    })
  })

  it("is a line without commands to the terminal", () => {
    const line = Watch.line(Watch.seen({ ...put, namespace: `n${escape}[2J` }, () => "web:1"))
    assert.isTrue(line.endsWith("set         n\\u001b[2J  1  {\"name\":\"Ada\"}  by web:1"), line)
  })

  it("of all namespaces names none", () => {
    const clear = { _tag: "CLEAR", namespace: "", clock, writer } as const
    assert.deepInclude(Watch.seen(clear, () => "web:1"), { type: "clear", namespace: null, key: null })
    assert.include(Watch.line(Watch.seen(clear, () => "web:1")), "clear       (all namespaces)  by web:1")
  })
})

describe("JSON", () => {
  it("says the same without what a terminal would obey", () => {
    const value = { "a\u009b2J": "\u007f\u202e\n" }
    const text = Printable.escaped(JSON.stringify(value, undefined, 2), "\n")
    assert.notMatch(text, /[\u007f-\u009f\u202e]/)
    assert.deepStrictEqual(JSON.parse(text), value)
  })
})
