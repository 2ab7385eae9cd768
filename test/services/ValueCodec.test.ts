import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import { Packr } from "msgpackr"
import { deepStrictEqual } from "node:assert"
import { McCacheError } from "../../src/domain/McCacheError.ts"
import * as MessagePack from "../../src/domain/MessagePack.ts"
import * as Packed from "../../src/domain/Packed.ts"
import * as ValueCodec from "../../src/services/ValueCodec.ts"

const { decode } = ValueCodec.structured()
const encode = (value: unknown): Uint8Array => Packed.bytes(ValueCodec.structured().encode(value))

const roundTrip = (value: unknown): unknown => decode(encode(value))

/** What is thrown; fails when nothing is. */
const thrownBy = (run: () => unknown): unknown => {
  try {
    run()
  } catch (error) {
    return error
  }
  return assert.fail("nothing was thrown")
}

const reasonOf = (run: () => unknown): McCacheError["reason"] => {
  const error = thrownBy(run)
  assert.instanceOf(error, McCacheError)
  return error.reason
}

const mulberry32 = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
}

/**
 * Random values of everything that structured clone takes, shared parts and cycles included; or mostly of plain data.
 */
const makeValue = (seed: number, isPlain: boolean, depthMax = 4): unknown => {
  const random = mulberry32(seed)
  const below = (bound: number) => Math.floor(random() * bound)
  const pick = <A>(choices: ReadonlyArray<A>): A => choices[below(choices.length)]
  /** Of plain data all but a few; of the rest any. */
  const among = (plain: ReadonlyArray<() => unknown>, others: ReadonlyArray<() => unknown>): unknown =>
    pick(random() < (isPlain ? 0.98 : 0.6) ? plain : others)()
  const bytes = () => Uint8Array.from({ length: 8 * below(40) }, () => below(256))
  const text = () =>
    String(among([
      () => pick(["", "plain", "\u2028\0", "é".repeat(10), String(random())]),
      () => "x".repeat(below(400)),
      () => "größer 漢字 🦊".repeat(below(40))
    ], [() => pick(["lone \ud800", "\udc00 first", "\ufeffmarked", "\ufeff" + "long".repeat(30)])]))
  const key = () =>
    String(
      among([text, () => pick(["a", "b", "constructor", "toString", "hasOwnProperty"])], [
        () => pick(["__proto__", "\ud800"])
      ])
    )
  const primitive = () =>
    among([
      text,
      () => below(300) - 150,
      () => (random() - 0.5) * 2 ** below(70),
      () => Math.trunc((random() - 0.5) * 2 ** below(60)),
      () => pick([0, NaN, Infinity, -Infinity, 2 ** 31, -(2 ** 31), 2 ** 32, -33, -128, -129, -32_768, -32_769]),
      () => pick([0n, 2n ** 63n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n]),
      () => pick([true, false, null, undefined])
    ], [() => -0, () =>
      pick([2n ** 64n, -(2n ** 63n) - 1n]), () =>
      BigInt(below(1_000)) ** BigInt(below(30)) * pick([1n, -1n])])
  const met: Array<unknown> = []
  const keep = (container: unknown): unknown => {
    met.push(container)
    return container
  }
  const value = (depth: number): unknown => {
    if (depth === 0 || random() < 0.3) return primitive()
    const items = () => Array.from({ length: pick([0, 1, 2, 3, 17]) }, () => value(depth - 1))
    return among([
      () => keep(items()),
      () => {
        const object = {}
        keep(object)
        for (const item of items()) {
          Object.defineProperty(object, key(), { value: item, enumerable: true, configurable: true, writable: true })
        }
        return object
      },
      () =>
        keep(
          new Date(
            pick([0, NaN, -1, 1_700_000_000_000, 1_700_000_000_123, 8.64e15, -8.64e15, 2 ** 32 * 1_000 - 1, 2 ** 42])
          )
        ),
      () => keep(bytes()),
      () => keep(Buffer.from(bytes()))
    ], [
      () => met.length === 0 ? primitive() : pick(met),
      () => keep(new Map(items().map((item) => [random() < 0.8 ? text() : value(1), item]))),
      () => keep(new Set(items())),
      () => {
        const sparse = items()
        keep(sparse)
        sparse[sparse.length + below(5)] = value(depth - 1)
        return sparse
      },
      () => keep(new Float64Array(bytes().buffer)),
      () => keep(pick([Int16Array, Uint8ClampedArray, Uint32Array]).from(bytes())),
      () => keep(new BigInt64Array(bytes().buffer)),
      () => keep(new DataView(bytes().buffer, 0)),
      () => keep(bytes().buffer),
      () => keep(/a(b)\/c/giu),
      () => keep(Object(pick([1, -0, "boxed", true, 5n]))),
      () => keep(new TypeError(text(), { cause: value(depth - 1) }))
    ])
  }
  return value(depthMax)
}

describe("structured", () => {
  it("gives back what structured clone gives", () => {
    let graphs = 0
    for (let seed = 0; seed < 3_000; seed++) {
      const value = makeValue(seed, seed % 2 === 0)
      if (encode(value)[0] === 0xc1) graphs++
      // Node's, which tells -0 from 0, holes from undefined, and compares what errors hide.
      deepStrictEqual(roundTrip(value), structuredClone(value), `seed ${seed}`)
    }
    assert.isAbove(graphs, 500)
    assert.isBelow(graphs, 2_500)
  })

  it("encodes equal values to equal bytes", () => {
    for (let seed = 0; seed < 200; seed++) {
      const [first, second] = [0, 0].map(() => encode(makeValue(seed, false)))
      assert.deepStrictEqual(first, second, `seed ${seed}`)
    }
  })

  it("keeps -0, NaN, infinities, undefined and holes apart", () => {
    const value = [-0, 0, NaN, Infinity, -Infinity, undefined, null, null]
    delete value[6]
    const back = roundTrip(value)
    deepStrictEqual(back, value)
    assert.isTrue(Array.isArray(back) && back.length === 8 && !(6 in back))
  })

  it("keeps cycles", () => {
    interface Node {
      readonly name: string
      next?: unknown
    }
    const first: Node = { name: "first" }
    first.next = { name: "second", next: first }
    const back = ValueCodec.structured<{ next: { next: unknown } }>().decode(encode(first))
    assert.strictEqual(back.next.next, back)
    deepStrictEqual(back, first)
  })

  it("keeps the sameness of objects that a value holds twice", () => {
    for (const shared of [{ name: "shared" }, ["shared"], new Date(5), new Uint8Array(3)]) {
      for (const between of [0, 5, 11, 12, 13, 100]) {
        const value = [shared, ...Array.from({ length: between }, (_, index) => [index]), shared]
        const back = ValueCodec.structured<Array<unknown>>().decode(encode(value))
        assert.deepStrictEqual(back, value)
        assert.strictEqual(back[0], back[between + 1])
      }
    }
  })

  it("keeps own properties only, whatever others did to Object.prototype", () => {
    const keys: Array<string> = []
    Object.defineProperty(Object.prototype, "polluted", {
      value: 1,
      enumerable: true,
      configurable: true,
      writable: true
    })
    try {
      keys.push(...Object.keys(ValueCodec.structured<object>().decode(encode({ own: 1 }))))
    } finally {
      Reflect.deleteProperty(Object.prototype, "polluted")
    }
    assert.deepStrictEqual(keys, ["own"])
  })

  it("keeps name, message, cause and stack of an error", () => {
    class NotFound extends Error {
      override readonly name = "NotFound"
    }
    const error = roundTrip(new RangeError("outer", { cause: new NotFound("inner") }))
    assert.instanceOf(error, RangeError)
    assert.strictEqual(error.message, "outer")
    assert.match(String(error.stack), /ValueCodec\.test/)
    assert.instanceOf(error.cause, Error)
    assert.strictEqual(String(error.cause), "NotFound: inner")
    assert.deepStrictEqual(Object.keys(error), [])
  })

  it("makes plain objects of instances of classes, and asks no toJSON", () => {
    class Point {
      readonly x = 1
      #hidden = 2
      get hidden() {
        return this.#hidden
      }
      toJSON() {
        return "json"
      }
    }
    assert.deepStrictEqual(roundTrip({ point: new Point() }), { point: { x: 1 } })
    assert.deepStrictEqual(roundTrip(Object.assign(Object.create(null), { a: 1 })), { a: 1 })
    assert.deepStrictEqual(roundTrip(Buffer.from([1, 2])), new Uint8Array([1, 2]))
  })

  it("takes any depth", () => {
    let deep: unknown = "bottom"
    for (let depth = 0; depth < 100_000; depth++) deep = [deep]
    const levels: Array<unknown> = [roundTrip(deep)]
    for (let level = levels[0]; Array.isArray(level); level = levels.at(-1)) levels.push(level[0])
    assert.strictEqual(levels.length, 100_001)
    assert.strictEqual(levels.at(-1), "bottom")
  })

  it("takes objects and arrays of any size", () => {
    for (const size of [15, 16, 255, 65_535, 65_536]) {
      const object = Object.fromEntries(Array.from({ length: size }, (_, index) => [`key${index}`, index]))
      assert.deepStrictEqual(roundTrip(object), object)
      const array = Array.from({ length: size }, (_, index) => index)
      assert.deepStrictEqual(roundTrip(array), array)
    }
    for (const size of [31, 32, 85, 86, 255, 256, 21_845, 65_535, 65_536, 300_000]) {
      assert.strictEqual(roundTrip("a".repeat(size)), "a".repeat(size))
      assert.strictEqual(roundTrip("漢".repeat(size)), "漢".repeat(size))
      assert.deepStrictEqual(roundTrip(new Uint8Array(size)), new Uint8Array(size))
    }
    const sparse: Array<unknown> = []
    sparse[4_000_000_000] = "far"
    const back = roundTrip(sparse)
    assert.isTrue(Array.isArray(back) && back.length === 4_000_000_001 && back[4_000_000_000] === "far")
  })

  it("writes trees of plain data as MessagePack that others read", () => {
    const others = new Packr({ useRecords: false, moreTypes: true })
    const values = [
      { name: "Ada", age: 36, tags: ["math", "poetry"], score: 0.5, none: null, yes: true, nested: { deep: [[], {}] } },
      [-1, -32, -33, -128, -129, -32_768, -32_769, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 1e300],
      [new Date(0), new Date(1_700_000_000_123), new Date(-5), new Date(2 ** 43), undefined, 1n, 2n ** 64n - 1n]
    ]
    for (const value of values) {
      assert.deepStrictEqual(others.unpack(encode(value)), value)
      assert.deepStrictEqual(decode(Uint8Array.from(others.pack(value))), value)
    }
  })

  it("gives each value bytes of its own, of exactly their size", () => {
    for (const size of [1, 100, 5_000, 100_000]) {
      const value = ValueCodec.structured().encode("x".repeat(size))
      const copy = Uint8Array.from(Packed.bytes(value))
      ValueCodec.structured().encode("y".repeat(size))
      assert.deepStrictEqual(Uint8Array.from(Packed.bytes(value)), copy)
      if (typeof value !== "string") assert.strictEqual(value.buffer.byteLength, value.length)
    }
  })

  it("decodes values that share no memory with the bytes, and adds nothing to these", () => {
    for (
      const value of [new Uint8Array([1, 2, 3]), new Map([[1, new Uint8Array([1, 2, 3])]]), new Uint8Array(20_000)]
    ) {
      const bytes = Buffer.from(encode(value))
      const before = Uint8Array.from(bytes)
      const back = decode(bytes)
      const array = back instanceof Map ? back.get(1) : back
      assert.instanceOf(array, Uint8Array)
      assert.notInstanceOf(array, Buffer)
      array.fill(9)
      assert.deepStrictEqual(Uint8Array.from(bytes), before)
      assert.isFalse("dataView" in bytes)
    }
  })

  it("encodes within a getter of the value that it encodes", () => {
    for (const inner of [{ text: "inner" }, { text: "inner", map: new Map([[1, 2]]) }]) {
      const lazy = {
        before: "b",
        get inner() {
          return roundTrip(inner)
        },
        after: "a"
      }
      assert.deepStrictEqual(roundTrip(lazy), { before: "b", inner, after: "a" })
    }
  })

  it("lets go of the buffer and the objects of a value that failed", () => {
    const thrower = {
      get broken(): unknown {
        throw new Error("no")
      }
    }
    const shared = { a: 1 }
    assert.match(reasonOf(() => encode([shared, thrower])).message, /no$/)
    assert.deepStrictEqual(roundTrip([shared]), [shared])
  })

  describe("refuses at once, naming the place,", () => {
    const cases: ReadonlyArray<readonly [string, unknown, RegExp]> = [
      ["a function", () => 1, /^value is a function/],
      ["a symbol", Symbol("s"), /^value is a symbol/],
      ["a boxed symbol", [Object(Symbol("s"))], /^value\[0\] is a symbol/],
      ["a method", { users: [{ name: "a" }, { name: "b", save() {} }] }, /^value\.users\[1\]\.save is a function/],
      ["a constructor", { constructor: Array }, /^value\.constructor is a function/],
      [
        "a key's function",
        new Map([["handlers", { "on click": () => 1 }]]),
        /^value\.get\("handlers"\)\["on click"\] is a function/
      ],
      ["a member's symbol", new Set([[Symbol.iterator]]), /^value\.member\(\)\[0\] is a symbol/],
      ["a cause's promise", new Error("x", { cause: Promise.resolve() }), /^value\.cause is a Promise.*Await it/],
      ["a WeakMap", { cache: new WeakMap() }, /^value\.cache is a WeakMap/],
      ["a generator", (function*() {})(), /^value is a generator/]
    ]
    for (const [name, value, expected] of cases) {
      it(name, () => {
        const reason = reasonOf(() => encode(value))
        assert.strictEqual(reason._tag, "Unencodable")
        assert.match(reason.message, expected)
      })
    }
  })
})

describe("hostile bytes", () => {
  const isUndecodable = (bytes: Uint8Array) => assert.instanceOf(thrownBy(() => decode(bytes)), ValueCodec.Undecodable)
  const graph = (list: unknown): Uint8Array => Uint8Array.from([0xc1, ...encode(list)])

  it("are refused when cut off, and when something follows", () => {
    for (const value of [{ a: [1, "text", new Date(5), 2n, 1.5] }, new Map([["a", { b: -0 }]])]) {
      const bytes = encode(value)
      for (let length = 0; length < bytes.length; length++) isUndecodable(bytes.subarray(0, length))
      isUndecodable(Uint8Array.from([...bytes, 0]))
    }
  })

  it("never throw anything else when flipped or made up", () => {
    const random = mulberry32(7)
    const attempt = (bytes: Uint8Array) => {
      try {
        decode(bytes)
      } catch (error) {
        assert.instanceOf(error, ValueCodec.Undecodable)
      }
    }
    for (let seed = 0; seed < 400; seed++) {
      const bytes = encode(makeValue(seed, seed % 2 === 0, 3))
      for (let flips = 0; flips < 20; flips++) {
        const flipped = Uint8Array.from(bytes)
        flipped[Math.floor(random() * bytes.length)] ^= 1 << Math.floor(random() * 8)
        attempt(flipped)
      }
      attempt(Uint8Array.from({ length: 40 }, () => Math.floor(random() * 256)))
      attempt(Uint8Array.from({ length: 40 }, (_, index) => index === 0 ? 0xc1 : Math.floor(random() * 256)))
    }
  })

  it("with lengths that the bytes do not bear out are refused before anything is allocated", () => {
    for (const token of [0xc6, 0xdb, 0xdd, 0xdf, 0xc9]) {
      isUndecodable(Uint8Array.from([token, 0xff, 0xff, 0xff, 0xff, 0]))
    }
    // Each level claims all that is left: a decoder that allocates by it would need gigabytes.
    const levels = Array.from({ length: 100 }, () => [0xdd, 0x00, 0x0f, 0x00, 0x00]).flat()
    isUndecodable(Uint8Array.from([...levels, ...new Uint8Array(0x0f0000)]))
    const before = process.memoryUsage().heapUsed
    // V8 allocates an array of 30 million at once when it is told only its length.
    for (const length of [30_000_000, 0xffff_ffff]) {
      const sparse = ValueCodec.structured<Array<unknown>>().decode(graph([[0], [2, length]]))
      assert.strictEqual(sparse.length, length)
    }
    assert.isBelow(process.memoryUsage().heapUsed - before, 50_000_000)
  })

  it("that claim many short arrays of nothing take no more memory than bytes of their size explain", () => {
    const count = 20_000
    const list = [[0], [1, ...Array.from({ length: count }, (_, index) => [index + 1])]]
    for (let index = 0; index < count; index++) list.push([2, 1_000])
    const bytes = Buffer.concat([Uint8Array.of(0xc1), encode(list)])
    const before = process.memoryUsage().heapUsed
    const value = ValueCodec.structured<Array<Array<unknown>>>().decode(bytes)
    assert.isBelow(process.memoryUsage().heapUsed - before, 400 * bytes.length)
    assert.lengthOf(value, count)
    assert.isTrue(value.every((each) => each.length === 1_000 && !(999 in each)))
  })

  it("nested beyond the bound are refused, not overflowing the stack", () => {
    isUndecodable(new Uint8Array(1_000_000).fill(0x91))
    isUndecodable(new Uint8Array(1_000_000).fill(0xc1).fill(0x91, 1))
    assert.isTrue(MessagePack.isAcceptable(Uint8Array.from([...new Uint8Array(MessagePack.depthMax).fill(0x91), 0])))
    assert.isFalse(
      MessagePack.isAcceptable(Uint8Array.from([...new Uint8Array(MessagePack.depthMax + 1).fill(0x91), 0]))
    )
  })

  it("reach none of the decoder's extensions that compile, call by name or share state", () => {
    const records = new Packr({ structuredClone: true })
    for (
      const value of [
        [{ a: 1 }, { a: 2 }, { a: 3 }, { a: 4 }, { a: 5 }],
        new Error("x"),
        /x/,
        new Set([1]),
        new Float64Array(1),
        2n ** 70n
      ]
    ) isUndecodable(Uint8Array.from(records.pack(value)))
    isUndecodable(Uint8Array.from(new Packr({ bundleStrings: true }).pack(["text of some length", "another"])))
    // An error called `valueOf` would be the decoder's own table of constructors.
    isUndecodable(Uint8Array.from([0xd4, 0x65, 0x00, 0x93, 0xa7, ...Buffer.from("valueOf"), 0xa0, 0xc0]))
    for (let token = 0; token < 256; token++) {
      const isExtension = (token >= 0xc7 && token <= 0xc9) || (token >= 0xd4 && token <= 0xd8)
      if (!isExtension) continue
      for (let type = 0; type < 256; type++) {
        // Of each length that an extension can have, with its type where that form has it.
        const [sizes, sized] = [
          [1, 2, 4, 8, 16],
          token >= 0xd4 ? [] : [...new Uint8Array((1 << (token - 0xc7)) - 1), 12]
        ]
        const size = token >= 0xd4 ? sizes[token - 0xd4] : 12
        const accepted = (type === 0x00 && token === 0xd4) ||
          (type === 0xff && [0xd4, 0xd6, 0xd7, 0xc7].includes(token))
        const bytes = Uint8Array.from([token, ...sized, type, ...new Uint8Array(size)])
        assert.strictEqual(MessagePack.isAcceptable(bytes), accepted, `token ${token} type ${type}`)
      }
    }
  })

  it("with keys that are no text are refused", () => {
    assert.isTrue(MessagePack.isAcceptable(Uint8Array.from([0x81, 0xa1, 0x61, 0x01])))
    assert.isFalse(MessagePack.isAcceptable(Uint8Array.from([0x81, 0x01, 0x01])))
    assert.isFalse(MessagePack.isAcceptable(Uint8Array.from([0x82, 0xa1, 0x61, 0x01, 0xc0, 0x01])))
    assert.isFalse(MessagePack.isAcceptable(Uint8Array.from([0x81, 0x91, 0xa1, 0x61, 0x01])))
  })

  it("that name __proto__ pollute nothing", () => {
    const tree = Uint8Array.from([
      0x81,
      0xa9,
      ...Buffer.from("__proto__"),
      0x81,
      0xa8,
      ...Buffer.from("polluted"),
      0x01
    ])
    for (const bytes of [tree, graph([[0], [0, "__proto__", [1]], [0, "polluted", 1]])]) {
      const value = decode(bytes)
      assert.isTrue(typeof value === "object" && value !== null)
      assert.strictEqual(Object.getPrototypeOf(value), Object.prototype)
      assert.isUndefined(Reflect.get(value ?? {}, "polluted"))
    }
    assert.isFalse("polluted" in {})
  })

  it("that are no graph are refused", () => {
    const lists = [
      5,
      [],
      [[0]],
      [[1], [1]],
      [[-1], [1]],
      [[0.5], [1]],
      [0, "no node"],
      [0, []],
      [0, [99]],
      [[0], [0, 1, 2]],
      [[0], [2, -1]],
      [[0], [2, 1.5]],
      [[0], [2, 3, 3, 1]],
      [[0], [2, 3, "length", 1]],
      [[0], [5, 1, "m"]],
      [[0], [5, "Error", 1]],
      [[0], [6, "(", ""]],
      [[0], [6, "a", "zz"]],
      [[0], [7, "now"]],
      [[0], [8, 99, new Uint8Array(8)]],
      [[0], [8, "constructor", new Uint8Array(8)]],
      [[0], [8, 10, new Uint8Array(7)]],
      [[0], [8, 1, "text"]],
      [[0], [9, [0]]],
      [[1, "not hexadecimal"]],
      [[0, "not bytes"]],
      [[2, 2]],
      [[1, "f", 3]]
    ]
    for (const list of lists) isUndecodable(graph(list))
    assert.deepStrictEqual(decode(graph([[0], [1, 1, [1, "-ff"]]])), [1, -255n])
  })
})

describe("ofSchema", () => {
  const User = Schema.Struct({
    name: Schema.String,
    born: Schema.Date,
    seen: Schema.Option(Schema.DateTimeUtc),
    tags: Schema.ReadonlySet(Schema.String),
    balance: Schema.BigInt,
    rate: Schema.Number
  })
  const codec = ValueCodec.ofSchema(User)
  const user = {
    name: "Ada",
    born: new Date(0),
    seen: Option.none(),
    tags: new Set(["math"]),
    balance: 2n ** 80n,
    rate: NaN
  }

  it("gives back values of the Schema", () => {
    assert.deepStrictEqual(codec.decode(codec.encode(user)), user)
  })

  it("refuses to encode what the Schema does not accept, with its words", () => {
    const Short = Schema.Struct({ name: Schema.String.check(Schema.isMaxLength(3)) })
    const reason = reasonOf(() => ValueCodec.ofSchema(Short).encode({ name: "four" }))
    assert.strictEqual(reason._tag, "Unencodable")
    assert.match(reason.message, /at most 3.*\n.*at \["name"\]/)
  })

  it("refuses to decode what the Schema does not accept", () => {
    const error = thrownBy(() => codec.decode(encode({ name: 5 })))
    assert.instanceOf(error, ValueCodec.Undecodable)
    assert.match(error.message, /Schema does not accept/)
  })

  it("refuses a Schema that is asynchronous", () => {
    const Slow = Schema.String.pipe(Schema.decodeTo(Schema.String, {
      decode: SchemaGetter.transformEffect((text: string) => Effect.promise(() => Promise.resolve(text))),
      encode: SchemaGetter.transformEffect((text: string) => Effect.promise(() => Promise.resolve(text)))
    }))
    const slow = ValueCodec.ofSchema(Slow)
    assert.strictEqual(reasonOf(() => slow.encode("x"))._tag, "InvalidConfig")
    assert.strictEqual(reasonOf(() => slow.decode(encode("x")))._tag, "InvalidConfig")
  })
})
