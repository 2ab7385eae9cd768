/** Keys and values of the facade, on their way from one member to another over real loopback sockets. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Key, Standalone } from "../../src/standalone.ts"
import { refused, start, until } from "./support/Loopback.ts"

let a: Standalone
let b: Standalone
let names = 0

beforeAll(async () => {
  ;[a, b] = await Promise.all([start(), start()])
  await until(() => a.members().length === 2 && b.members().length === 2, "two members know each other")
})

afterAll(async () => {
  await Promise.all([a.close(), b.close()])
})

/** A namespace that no other test uses, open at both members. */
const both = <V = unknown>(options: Parameters<typeof a.cache<V>>[1] = {}) => {
  const name = `n${++names}`
  return { writer: a.cache<V>(name, options), reader: b.cache<V>(name, options) }
}

const cycle = (): unknown => {
  const made: { [key: string]: unknown } = { name: "cycle" }
  made["self"] = made
  made["list"] = [made, made]
  return made
}

const sparse = (): unknown => {
  const made: Array<unknown> = [1]
  made[5] = 6
  return made
}

describe("values", () => {
  const values: { readonly [what: string]: unknown } = {
    "undefined": undefined,
    "null": null,
    "a boolean": false,
    "an integer": 42,
    "the number -0": -0,
    "NaN": Number.NaN,
    "infinities": [Infinity, -Infinity],
    "a small and a large number": [Number.MIN_VALUE, Number.MAX_VALUE, Number.MAX_SAFE_INTEGER],
    "an empty string": "",
    "text": "grüß dich, 世界 🎉",
    "a lone surrogate": "a\ud800b",
    "a BigInt": 2n ** 63n,
    "a huge BigInt": -(2n ** 200n),
    "a plain object": { a: 1, b: { c: [1, "2", null] }, d: undefined },
    "an object with __proto__": JSON.parse(`{"__proto__": {"polluted": true}}`),
    "an array of undefined": [undefined, null],
    "a sparse array": sparse(),
    "a Date": new Date(1_700_000_000_123),
    "an invalid Date": new Date(Number.NaN),
    "a Map": new Map<unknown, unknown>([["a", 1], [{ k: 1 }, new Map([[1, 2]])]]),
    "a Set": new Set([1, "1", { a: 1 }]),
    "bytes": new Uint8Array([0, 1, 255]),
    "typed arrays": [new Float64Array([1.5, -0]), new BigInt64Array([-1n]), new Int16Array([-2])],
    "an ArrayBuffer": new Uint8Array([1, 2, 3]).buffer,
    "a RegExp": /a+b/giu,
    "an Error": new TypeError("wrong", { cause: new Error("deeper") }),
    "text larger than a datagram": "x".repeat(200_000)
  }

  it("of all kinds that the structured clone algorithm takes arrive as they were", async () => {
    const { reader, writer } = both()
    for (const [what, value] of Object.entries(values)) writer.set(what, value)
    await a.flush()
    for (const [what, value] of Object.entries(values)) {
      for (const cache of [writer, reader]) {
        assert.isTrue(cache.has(what), what)
        assert.deepStrictEqual(cache.get(what), value, what)
      }
    }
    assert.isTrue(Object.is(reader.get("the number -0"), -0))
    const holes = reader.get("a sparse array") as ReadonlyArray<unknown>
    assert.deepStrictEqual(Object.keys(holes), ["0", "5"])
    const error = reader.get("an Error")
    assert.instanceOf(error, TypeError)
    assert.strictEqual((error.cause as Error).message, "deeper")
    assert.notProperty({}, "polluted")
  })

  it("with cycles and shared parts arrive in that shape", async () => {
    const { reader, writer } = both()
    writer.set("k", cycle())
    await a.flush()
    const got = reader.get("k") as { readonly self: unknown; readonly list: ReadonlyArray<unknown> }
    assert.strictEqual(got.self, got)
    assert.strictEqual(got.list[0], got)
    assert.strictEqual(got.list[1], got)
  })

  it("that have no encoding are refused at the call, naming the place, and nothing changes", async () => {
    const { reader, writer } = both()
    writer.set("k", 1)
    const stamp = writer.metadata("k")?.stamp
    const refusals: ReadonlyArray<readonly [value: unknown, place: string]> = [
      [() => 1, "value is a function"],
      [Symbol("s"), "value is a symbol"],
      [{ a: [1, { b: () => 1 }] }, "value.a[1].b"],
      [new Map([["x", Symbol("s")]]), `value.get("x")`],
      [Promise.resolve(1), "a Promise"],
      [new WeakMap(), "a WeakMap"]
    ]
    for (const [value, place] of refusals) {
      assert.include(refused(() => writer.set("k", value), "Unencodable").message, place)
      refused(() => writer.setMany([["l", 1], ["k", value]]), "Unencodable")
      refused(() => writer.setDefault("l", value), "Unencodable")
    }
    const thrower = {
      get a() {
        throw new Error("getter")
      }
    }
    assert.include(refused(() => writer.set("k", thrower), "Unencodable").message, "getter")
    await a.flush()
    for (const cache of [writer, reader]) {
      assert.deepStrictEqual([...cache], [["k", 1]])
      assert.deepStrictEqual(cache.metadata("k")?.stamp, stamp)
    }
  })

  it("too large for the namespace are refused, naming the size and the bound; as large as it are not", () => {
    const { writer } = both({ size: 4_096 })
    // Text of more than 255 and at most 65,535 bytes has a prefix of three.
    writer.set("k", "x".repeat(4_096 - 1 - 3))
    assert.strictEqual(writer.bytes, 4_096)
    const error = refused(() => writer.set("k", "x".repeat(4_096 - 3)), "ValueTooLarge")
    assert.match(error.message, /4097 bytes.*4096/)
    assert.strictEqual(writer.size, 1)
  })

  it("mutated after set are what they were, here and there", async () => {
    const { reader, writer } = both<{ list: Array<number>; bytes: Uint8Array }>()
    const value = { list: [1], bytes: new Uint8Array([1]) }
    writer.set("k", value)
    value.list.push(2)
    value.bytes[0] = 9
    const expected = { list: [1], bytes: new Uint8Array([1]) }
    assert.deepStrictEqual(writer.get("k"), expected)
    await a.flush()
    value.list.push(3)
    assert.deepStrictEqual(reader.get("k"), expected)
    assert.notStrictEqual(writer.get("k"), value)
  })

  it("mutated after get reach no other member, not even one that joins later", async () => {
    const { reader, writer } = both<{ list: Array<number>; small: Uint8Array; large: Uint8Array }>()
    const original = () => ({ list: [1], small: new Uint8Array(4), large: new Uint8Array(20_000) })
    writer.set("k", original())
    await a.flush()
    for (const got of [writer.get("k"), reader.get("k")]) {
      got?.list.push(2)
      got?.small.fill(7)
      got?.large.fill(7)
    }
    const checksum = writer.checksum("k")
    assert.strictEqual(reader.checksum("k"), checksum)
    const c = await start()
    try {
      const joined = c.cache<ReturnType<typeof original>>(writer.name)
      await c.ready()
      assert.deepStrictEqual(joined.get("k"), original())
      assert.strictEqual(joined.checksum("k"), checksum)
    } finally {
      await c.close()
    }
  })
})

describe("keys", () => {
  it("that are none are refused by every method, saying what they are, and nothing changes", () => {
    const { writer } = both<number>()
    writer.set("k", 1)
    const none: ReadonlyArray<readonly [key: unknown, what: string]> = [
      [Number.NaN, "the number NaN"],
      [Infinity, "the number Infinity"],
      [-Infinity, "the number -Infinity"],
      ["", "the empty string"],
      ["\ud800", "lone surrogate"],
      ["a\udc00b", "lone surrogate"],
      ["x".repeat(4_097), "4097 UTF-8 bytes"],
      ["é".repeat(2_049), "4098 UTF-8 bytes"],
      [{}, "type object"],
      [Symbol("s"), "type symbol"],
      [null, "null"],
      [undefined, "type undefined"],
      [true, "type boolean"],
      [1n, "type bigint"]
    ]
    for (const [given, what] of none) {
      const key = given as Key
      for (
        const call of [
          () => writer.get(key),
          () => writer.peek(key),
          () => writer.has(key),
          () => writer.set(key, 2),
          () => writer.setMany([["k", 2], [key, 2]]),
          () => writer.setDefault(key, 2),
          () => writer.delete(key),
          () => writer.deleteMany(["k", key]),
          () => writer.pop(key),
          () => writer.metadata(key)
        ]
      ) assert.include(refused(call, "InvalidKey").message, what)
    }
    assert.deepStrictEqual([...writer], [["k", 1]])
  })

  it("of 4,096 bytes, with any text, and all finite numbers arrive", async () => {
    const { reader, writer } = both<number>()
    const keys: ReadonlyArray<Key> = [
      "x".repeat(4_096),
      "é".repeat(2_048),
      "🎉",
      "\0",
      "__proto__",
      0.1,
      -1,
      Number.MAX_SAFE_INTEGER,
      Number.MAX_VALUE,
      Number.MIN_VALUE,
      1,
      "1"
    ]
    keys.forEach((key, index) => writer.set(key, index))
    await a.flush()
    assert.sameDeepMembers([...reader], keys.map((key, index): [Key, number] => [key, index]))
    for (const [index, key] of keys.entries()) assert.strictEqual(reader.get(key), index)
  })
})
