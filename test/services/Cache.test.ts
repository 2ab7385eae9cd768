/** Every method of `Cache<V>` on a simulated cluster; `getOrSet` and changes have files of their own. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { McCacheError } from "../../src/domain/McCacheError.ts"
import * as Cluster from "../../src/runtime/testing/Cluster.ts"
import { fails, pair, pairs } from "./support/Pair.ts"

describe("reading", () => {
  it.effect("get gives the value here and at the other member, and none for what is not there", () =>
    Effect.gen(function*() {
      const { cluster, reader, writer } = yield* pair()
      yield* writer.set("k", { a: 1 })
      assert.deepStrictEqual(yield* writer.get("k"), Option.some({ a: 1 }))
      assert.deepStrictEqual(yield* reader.get("k"), Option.none())
      yield* cluster.advance("100 millis")
      assert.deepStrictEqual(yield* reader.get("k"), Option.some({ a: 1 }))
      assert.deepStrictEqual(yield* reader.get("other"), Option.none())
    }))

  it.effect("a stored undefined is a hit of get and peek", () =>
    Effect.gen(function*() {
      const { writer } = yield* pair()
      yield* writer.set("k", undefined)
      assert.deepStrictEqual(yield* writer.get("k"), Option.some(undefined))
      assert.deepStrictEqual(yield* writer.peek("k"), Option.some(undefined))
      assert.isTrue(yield* writer.has("k"))
    }))

  it.effect("getUnsafe reads synchronously", () =>
    Effect.gen(function*() {
      const { writer } = yield* pair<number>()
      yield* writer.set("k", 1)
      assert.strictEqual(writer.getUnsafe("k"), 1)
      assert.isUndefined(writer.getUnsafe("other"))
      assert.throws(() => writer.getUnsafe(""), McCacheError)
    }))

  it.effect("get and getUnsafe count lookups and misses, peek and has count none", () =>
    Effect.gen(function*() {
      const { writer } = yield* pair()
      yield* writer.set("k", 1)
      yield* writer.get("k")
      writer.getUnsafe("k")
      yield* writer.get("other")
      yield* writer.peek("k")
      yield* writer.has("k")
      yield* writer.has("other")
      const { lookups, misses } = yield* writer.metrics
      assert.deepStrictEqual([lookups, misses], [3, 1])
    }))

  it.effect("peek is no use: it saves nothing from the eviction of the least recently used", () =>
    Effect.gen(function*() {
      const { writer } = yield* pair({ mode: 0, max: 2 })
      yield* writer.setMany([["a", 1], ["b", 2]])
      yield* writer.peek("a")
      yield* writer.has("a")
      yield* writer.set("c", 3)
      assert.deepStrictEqual([...yield* writer.keys], ["b", "c"])
      yield* writer.get("b")
      yield* writer.set("d", 4)
      assert.deepStrictEqual([...yield* writer.keys], ["b", "d"])
    }))

  it.effect("the number 1 and the text \"1\" are two keys, 0 and -0 are one", () =>
    Effect.gen(function*() {
      const { cluster, reader, writer } = yield* pair()
      yield* writer.set(1, "number")
      yield* writer.set("1", "text")
      yield* writer.set(-0, "zero")
      yield* cluster.advance("100 millis")
      for (const cache of [writer, reader]) {
        assert.strictEqual(cache.getUnsafe(1), "number")
        assert.strictEqual(cache.getUnsafe("1"), "text")
        assert.strictEqual(cache.getUnsafe(0), "zero")
        assert.strictEqual(cache.getUnsafe(-0), "zero")
        assert.deepStrictEqual([...yield* cache.keys], [1, "1", 0])
      }
      yield* reader.set(0, "nil")
      yield* cluster.advance("100 millis")
      assert.strictEqual(writer.getUnsafe(-0), "nil")
      assert.strictEqual(yield* writer.checksum(0), yield* reader.checksum(-0))
      assert.strictEqual(yield* writer.checksum(), yield* reader.checksum())
    }))
})

describe("writing", () => {
  it.effect("an entry expires at both members at once, when its ttl is over and not before", () =>
    Effect.gen(function*() {
      const { cluster, reader, writer } = yield* pair()
      yield* writer.set("k", 1, { ttl: "10 seconds" })
      yield* writer.set("for ever", 1, { ttl: 0 })
      yield* cluster.advance(9_999)
      assert.strictEqual(reader.getUnsafe("k"), 1)
      assert.strictEqual(writer.getUnsafe("k"), 1)
      yield* cluster.advance(1)
      for (const cache of [writer, reader]) {
        assert.deepStrictEqual(yield* cache.get("k"), Option.none())
        assert.deepStrictEqual(yield* cache.peek("k"), Option.none())
        assert.isFalse(yield* cache.has("k"))
        assert.deepStrictEqual(yield* cache.metadata("k"), Option.none())
        assert.strictEqual(yield* cache.size, 1)
      }
      yield* cluster.advance("10 minutes")
      assert.strictEqual(reader.getUnsafe("for ever"), 1)
    }))

  it.effect("a plain number of ttl is seconds, the namespace's ttl is the default, an update begins it anew", () =>
    Effect.gen(function*() {
      const { cluster, writer } = yield* pair({ ttl: 20 })
      yield* writer.set("seconds", 1, { ttl: 1.5 })
      yield* writer.set("default", 1)
      yield* cluster.advance(1_499)
      assert.isTrue(yield* writer.has("seconds"))
      yield* cluster.advance(1)
      assert.isFalse(yield* writer.has("seconds"))
      yield* writer.set("default", 2)
      yield* cluster.advance(19_999)
      assert.isTrue(yield* writer.has("default"))
      yield* cluster.advance(1)
      assert.isFalse(yield* writer.has("default"))
    }))

  it.effect("a bad ttl or timeout is InvalidConfig and nothing is written", () =>
    Effect.gen(function*() {
      const { writer } = yield* pair()
      for (const ttl of [-1, Number.NaN, 0.0004, "soon", -Infinity] as const) {
        const error = yield* fails(writer.set("k", 1, { ttl: ttl as number }), "InvalidConfig")
        assert.include(error.message, "ttl is")
        yield* fails(writer.setMany([["k", 1]], { ttl: ttl as number }), "InvalidConfig")
        yield* fails(writer.setDefault("k", 1, { ttl: ttl as number }), "InvalidConfig")
      }
      yield* fails(writer.set("k", 1, { ack: 1, timeout: -1 }), "InvalidConfig")
      yield* fails(writer.set("k", 1, { ack: 0.5 }), "InvalidConfig")
      yield* fails(writer.set("k", 1, { ack: -1 }), "InvalidConfig")
      assert.strictEqual(yield* writer.size, 0)
    }))

  it.effect("an ack waits until so many others have it", () =>
    Effect.gen(function*() {
      for (const ack of ["all", "majority", 1] as const) {
        const { cluster, reader, writer } = yield* pair()
        const written = yield* Effect.forkChild(writer.set("k", ack, { ack }))
        yield* Effect.yieldNow
        assert.strictEqual(writer.getUnsafe("k"), ack)
        assert.isUndefined(written.pollUnsafe())
        yield* cluster.advance("1 second")
        yield* Fiber.join(written)
        assert.strictEqual(reader.getUnsafe("k"), ack)
      }
    }))

  it.effect("an ack that nobody gives is AckTimeout after its timeout, the value being written all the same", () =>
    Effect.gen(function*() {
      const { cluster, reader, writer } = yield* pair()
      cluster.partition([["a"], ["b"]])
      const written = yield* Effect.forkChild(fails(writer.set("k", 1, { ack: "all", timeout: 2 }), "AckTimeout"))
      yield* cluster.advance(1_999)
      assert.isUndefined(written.pollUnsafe())
      yield* cluster.advance(1)
      assert.include((yield* Fiber.join(written)).message, "b:2")
      assert.strictEqual(writer.getUnsafe("k"), 1)
      cluster.heal()
      yield* cluster.advance("5 seconds")
      assert.strictEqual(reader.getUnsafe("k"), 1)
    }))

  it.effect("an ack of more members than there are fails at once and writes nothing", () =>
    Effect.gen(function*() {
      const { writer } = yield* pair()
      const error = yield* fails(writer.set("k", 1, { ack: 2 }), "AckTimeout")
      assert.include(error.message, "2")
      assert.isFalse(yield* writer.has("k"))
    }))

  it.effect("alone, an ack of all, of a majority and of nobody is given at once", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make()
      const a = yield* cluster.join("a")
      const cache = yield* a.mccache.cache("n")
      yield* cluster.advance("3 seconds")
      for (const ack of ["all", "majority", 0] as const) yield* cache.set("k", 1, { ack })
    }))

  it.effect("setMany writes all, or nothing when one of them cannot be stored", () =>
    Effect.gen(function*() {
      const { cluster, reader, writer } = yield* pair({ size: 1_024 })
      yield* fails(writer.setMany([["a", 1], ["", 2]]), "InvalidKey")
      yield* fails(writer.setMany([["a", 1], ["b", () => 2]]), "Unencodable")
      yield* fails(writer.setMany([["a", 1], ["b", "x".repeat(1_100)]]), "ValueTooLarge")
      assert.strictEqual(yield* writer.size, 0)
      yield* writer.setMany(new Map([["a", 1], ["b", 2]]), { ttl: 1 })
      yield* cluster.advance("500 millis")
      assert.deepStrictEqual(yield* pairs(reader), [["a", 1], ["b", 2]])
      yield* cluster.advance("500 millis")
      assert.strictEqual(yield* reader.size, 0)
    }))

  it.effect("setDefault gives what is there, else writes its own", () =>
    Effect.gen(function*() {
      const { cluster, reader, writer } = yield* pair()
      assert.strictEqual(yield* writer.setDefault("k", 1, { ttl: 5 }), 1)
      assert.strictEqual(yield* writer.setDefault("k", 2), 1)
      yield* cluster.advance("100 millis")
      assert.strictEqual(yield* reader.setDefault("k", 3), 1)
      yield* cluster.advance("5 seconds")
      assert.strictEqual(yield* reader.setDefault("k", 3), 3)
    }))

  it.effect("a key or a value that cannot be is refused, naming the bound, and nothing changes", () =>
    Effect.gen(function*() {
      const { writer } = yield* pair({ size: 2_048 })
      yield* writer.set("k", 1)
      yield* fails(writer.set("", 2), "InvalidKey")
      yield* fails(writer.get(Number.NaN), "InvalidKey")
      yield* fails(writer.delete("\ud800"), "InvalidKey")
      yield* fails(writer.deleteMany(["k", ""]), "InvalidKey")
      assert.include((yield* fails(writer.has("é".repeat(2_049)), "InvalidKey")).message, "4096")
      yield* fails(writer.set("k", Symbol("s")), "Unencodable")
      assert.include((yield* fails(writer.set("k", { a: [() => 1] }), "Unencodable")).message, "value.a[0]")
      assert.include((yield* fails(writer.set("k", "x".repeat(2_100)), "ValueTooLarge")).message, "2048")
      assert.deepStrictEqual(yield* pairs(writer), [["k", 1]])
    }))
})

describe("removing", () => {
  it.effect("delete says whether it was there, and deletes everywhere", () =>
    Effect.gen(function*() {
      const { cluster, reader, writer } = yield* pair()
      yield* writer.set("k", 1)
      yield* writer.set("short", 1, { ttl: 1 })
      yield* cluster.advance("1 second")
      assert.isFalse(yield* reader.delete("short"))
      assert.isTrue(yield* reader.delete("k"))
      assert.isFalse(yield* reader.delete("k"))
      assert.isFalse(yield* reader.delete("other"))
      assert.isFalse(yield* reader.has("k"))
      yield* cluster.advance("100 millis")
      assert.isFalse(yield* writer.has("k"))
    }))

  it.effect("deleteMany says how many were there", () =>
    Effect.gen(function*() {
      const { cluster, reader, writer } = yield* pair()
      yield* writer.setMany([["a", 1], ["b", 2], ["c", 3]])
      yield* cluster.advance("100 millis")
      assert.strictEqual(yield* reader.deleteMany(new Set(["a", "c", "x"])), 2)
      yield* cluster.advance("100 millis")
      assert.deepStrictEqual(yield* pairs(writer), [["b", 2]])
    }))

  it.effect("pop gives the value and deletes it, popItem the first entry", () =>
    Effect.gen(function*() {
      const { cluster, reader, writer } = yield* pair()
      yield* writer.setMany([["a", 1], ["b", 2], ["c", undefined]])
      yield* cluster.advance("100 millis")
      assert.deepStrictEqual(yield* reader.pop("b"), Option.some(2))
      assert.deepStrictEqual(yield* reader.pop("b"), Option.none())
      assert.deepStrictEqual(yield* reader.popItem(), Option.some(["a", 1] as const))
      assert.deepStrictEqual(yield* reader.popItem(), Option.some(["c", undefined] as const))
      assert.deepStrictEqual(yield* reader.popItem(), Option.none())
      yield* cluster.advance("100 millis")
      assert.strictEqual(yield* writer.size, 0)
    }))

  it.effect("clear empties everywhere, and what is written afterwards stays", () =>
    Effect.gen(function*() {
      const { cluster, reader, writer } = yield* pair()
      yield* writer.setMany([["a", 1], ["b", 2]])
      yield* cluster.advance("100 millis")
      yield* reader.clear()
      yield* reader.set("b", 3)
      assert.deepStrictEqual(yield* pairs(reader), [["b", 3]])
      yield* cluster.advance("100 millis")
      assert.deepStrictEqual(yield* pairs(writer), [["b", 3]])
    }))
})

describe("iteration and reports", () => {
  it.effect("size and bytes count entries, not what was deleted or expired", () =>
    Effect.gen(function*() {
      const { cluster, writer } = yield* pair()
      assert.strictEqual(yield* writer.bytes, 0)
      yield* writer.set("abc", "defg")
      const one = yield* writer.bytes
      assert.strictEqual(one, 3 + 5)
      yield* writer.set(7, "defg", { ttl: 1 })
      assert.strictEqual(yield* writer.bytes, one + 8 + 5)
      assert.strictEqual(yield* writer.size, 2)
      yield* cluster.advance("1 second")
      assert.strictEqual(yield* writer.size, 1)
      assert.strictEqual(yield* writer.bytes, one)
      yield* writer.delete("abc")
      assert.deepStrictEqual([yield* writer.size, yield* writer.bytes], [0, 0])
    }))

  it.effect("iterates in the order of insertion, as a Map does, which a new value does not change", () =>
    Effect.gen(function*() {
      const { writer } = yield* pair<number>()
      yield* writer.setMany([["a", 1], ["b", 2], ["c", 3]])
      yield* writer.set("a", 4)
      assert.deepStrictEqual(yield* pairs(writer), [["a", 4], ["b", 2], ["c", 3]])
      assert.deepStrictEqual([...yield* writer.keys], ["a", "b", "c"])
      assert.deepStrictEqual([...yield* writer.values], [4, 2, 3])
      yield* writer.delete("a")
      yield* writer.set("a", 5)
      assert.deepStrictEqual(yield* pairs(writer), [["b", 2], ["c", 3], ["a", 5]])
    }))

  it.effect("iterators survive writes: what is deleted is not met any more, what is added is", () =>
    Effect.gen(function*() {
      const { writer } = yield* pair<number>()
      yield* writer.setMany([["a", 1], ["b", 2], ["c", 3]])
      const entries = yield* writer.entries
      assert.deepStrictEqual(entries.next().value, ["a", 1])
      yield* writer.delete("b")
      yield* writer.set("c", 4)
      yield* writer.set("d", 5)
      assert.deepStrictEqual([...entries], [["c", 4], ["d", 5]])
      const keys = yield* writer.keys
      keys.next()
      yield* writer.clear()
      assert.deepStrictEqual([...keys], [])
    }))

  it.effect("iterators skip what expired, also what expires between two steps", () =>
    Effect.gen(function*() {
      const { a, cluster, writer } = yield* pair<number>()
      yield* writer.set("first", 0)
      yield* writer.set("gone", 1, { ttl: 1 })
      yield* writer.set("going", 2, { ttl: 2 })
      yield* writer.set("staying", 3)
      yield* cluster.advance("1 second")
      const keys = yield* writer.keys
      const entries = yield* writer.entries
      assert.strictEqual(keys.next().value, "first")
      assert.deepStrictEqual(entries.next().value, ["first", 0])
      // The clock goes on, and nothing of the member runs that would free what expired.
      a.skew(1_000)
      assert.deepStrictEqual([...keys], ["staying"])
      assert.deepStrictEqual([...entries], [["staying", 3]])
    }))

  it.effect("metadata tells stamp, writer, crc, size and times, and counts no lookup", () =>
    Effect.gen(function*() {
      const { a, cluster, reader, writer } = yield* pair()
      const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      yield* writer.set("k", "v", { ttl: 60 })
      yield* cluster.advance("1 second")
      const unread = Option.getOrThrow(yield* reader.metadata("k"))
      assert.strictEqual(unread.key, "k")
      assert.strictEqual(unread.writer, a.mccache.id)
      assert.strictEqual(unread.stamp.writer, a.mccache.id)
      assert.strictEqual(unread.bytes, 3)
      assert.strictEqual(unread.expiresAt, now + 60_000)
      assert.isUndefined(unread.lastLookup)
      assert.isAtLeast(unread.lastUpdate, now)
      assert.isBelow(unread.lastUpdate, now + 1_000)
      const own = Option.getOrThrow(yield* writer.metadata("k"))
      assert.deepStrictEqual([own.stamp, own.crc], [unread.stamp, unread.crc])
      yield* reader.get("k")
      assert.strictEqual(Option.getOrThrow(yield* reader.metadata("k")).lastLookup, now + 1_000)
      yield* reader.set("k", "w", { ttl: 0 })
      const rewritten = Option.getOrThrow(yield* reader.metadata("k"))
      assert.isUndefined(rewritten.expiresAt)
      assert.isAbove(rewritten.stamp.clock, unread.stamp.clock)
      assert.notStrictEqual(rewritten.crc, unread.crc)
      assert.deepStrictEqual(yield* reader.metadata("other"), Option.none())
      assert.strictEqual((yield* reader.metrics).lookups, 1)
    }))

  it.effect("metrics count what happened to the namespace", () =>
    Effect.gen(function*() {
      const { cluster, writer } = yield* pair({ max: 2 })
      yield* writer.set("a", 1)
      yield* writer.set("a", 2)
      yield* writer.set("b", 1)
      yield* writer.set("c", 1, { ttl: 1 })
      yield* writer.delete("b")
      yield* cluster.advance("10 seconds")
      const metrics = yield* writer.metrics
      assert.deepInclude(metrics, {
        count: 0,
        size: 0,
        inserts: 3,
        updates: 1,
        evicts: 1,
        deletes: 1,
        expired: 1,
        collisions: 0,
        incoherent: 0,
        tombstones: 2,
        outbox: 0,
        caughtUp: true
      })
    }))

  it.effect("checksums agree between members with the same entries, and differ with the content", () =>
    Effect.gen(function*() {
      const { cluster, reader, writer } = yield* pair()
      const empty = yield* writer.checksum()
      yield* writer.setMany([["a", 1], ["b", 2]])
      assert.notStrictEqual(yield* writer.checksum(), empty)
      assert.notStrictEqual(yield* writer.checksum(), yield* reader.checksum())
      yield* cluster.advance("100 millis")
      assert.strictEqual(yield* writer.checksum(), yield* reader.checksum())
      assert.isDefined(yield* writer.checksum("a"))
      assert.strictEqual(yield* writer.checksum("a"), yield* reader.checksum("a"))
      assert.notStrictEqual(yield* writer.checksum("a"), yield* writer.checksum("b"))
      assert.isUndefined(yield* writer.checksum("c"))
      yield* fails(writer.checksum(""), "InvalidKey")
    }))
})

describe("what waits to be sent", () => {
  for (const mode of [0, 1, 2] as const) {
    it.effect(`is a key once, however often it is written and deleted in mode ${mode}`, () =>
      Effect.gen(function*() {
        const { writer } = yield* pair<number>({ mode })
        for (let time = 0; time < 100; time++) {
          yield* writer.set("k", time)
          yield* writer.delete("k")
          assert.isAtMost((yield* writer.metrics).outbox, 1)
        }
      }))
  }
})

describe("a namespace with a Schema", () => {
  class User extends Schema.Class<User>("User")({ name: Schema.String, born: Schema.Date }) {}

  it.effect("gives what the Schema decodes, at both members", () =>
    Effect.gen(function*() {
      const { cluster, reader, writer } = yield* pair({ value: User })
      const user = new User({ name: "Ada", born: new Date("1815-12-10") })
      yield* writer.set("k", user)
      yield* cluster.advance("100 millis")
      for (const cache of [writer, reader]) {
        const hit = Option.getOrThrow(yield* cache.get("k"))
        assert.instanceOf(hit, User)
        assert.deepStrictEqual(hit, user)
      }
    }))

  it.effect("refuses what the Schema does not accept as Unencodable, and keeps what was there", () =>
    Effect.gen(function*() {
      const { writer } = yield* pair({ value: Schema.Number })
      yield* writer.set("k", 1)
      const wrong: unknown = "text"
      yield* fails(writer.set("k", wrong as number), "Unencodable")
      assert.deepStrictEqual(yield* pairs(writer), [["k", 1]])
    }))

  it.effect("that changes the cache while it decodes gives what was read, and nothing of it to another key or write", () =>
    Effect.gen(function*() {
      let meanwhile = (): void => undefined
      const value = Schema.Number.check(Schema.makeFilter(() => {
        meanwhile()
        return true
      }))
      const { cluster, reader, writer } = yield* pair<number>({}, { reader: { value } })
      yield* writer.setMany([["k", 1], ["l", 1]])
      yield* cluster.advance("100 millis")
      const once = (change: () => void): void => {
        meanwhile = () => {
          meanwhile = () => undefined
          change()
        }
      }
      once(() => Effect.runSync(Effect.andThen(reader.delete("k"), reader.set("other", 2))))
      assert.strictEqual(reader.getUnsafe("k"), 1)
      assert.deepStrictEqual(yield* reader.get("k"), Option.none())
      assert.strictEqual(reader.getUnsafe("other"), 2)
      once(() => Effect.runSync(reader.set("l", 3)))
      assert.strictEqual(reader.getUnsafe("l"), 1)
      assert.strictEqual(reader.getUnsafe("l"), 3)
    }))

  it.effect("what another member wrote and the Schema does not accept reads as a miss, and is counted", () =>
    Effect.gen(function*() {
      const { b, cluster, reader, writer } = yield* pair<unknown>({}, { reader: { value: Schema.Number } })
      yield* writer.setMany([["good", 1], ["bad", "text"]])
      yield* cluster.advance("100 millis")
      assert.deepStrictEqual(yield* reader.get("bad"), Option.none())
      assert.isUndefined(reader.getUnsafe("bad"))
      assert.deepStrictEqual(yield* reader.peek("bad"), Option.none())
      assert.deepStrictEqual(yield* reader.pop("bad"), Option.none())
      assert.deepStrictEqual(yield* pairs(reader), [["good", 1]])
      assert.strictEqual((yield* reader.metrics).misses, 3)
      assert.isAbove((yield* b.mccache.localMetrics()).coherence.undecodable, 0)
      assert.strictEqual(yield* reader.getOrSet("bad", Effect.succeed(2)), 2)
      yield* cluster.advance("100 millis")
      assert.strictEqual(writer.getUnsafe("bad"), 2)
    }))
})
