/** The facade over real loopback sockets: members of one process. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import type { Change, Key, Standalone, StandaloneCache } from "../../src/standalone.ts"
import { refused, rejected, settings, start, until } from "./support/Loopback.ts"

let a: Standalone
let b: Standalone
let names = 0

/** A namespace that no other test uses, open at both members. */
const both = <V = unknown>(options: Parameters<typeof a.cache<V>>[1] = {}) => {
  const name = `n${++names}`
  return { name, writer: a.cache<V>(name, options), reader: b.cache<V>(name, options) }
}

beforeAll(async () => {
  ;[a, b] = await Promise.all([start(), start()])
  await until(() => a.members().length === 2 && b.members().length === 2, "two members know each other")
  await Promise.all([a.ready(), b.ready()])
})

afterAll(async () => {
  await Promise.all([a.close(), b.close()])
})

describe("two members", () => {
  it("see each other's writes, deletes and clears", async () => {
    const { reader, writer } = both<number>()
    writer.set("k", 1).set("l", 2)
    assert.strictEqual(writer.get("k"), 1)
    await until(() => reader.get("k") === 1 && reader.get("l") === 2, "a write at the other member")
    reader.set("k", 3)
    await until(() => writer.get("k") === 3, "a write the other way")
    assert.isTrue(writer.delete("k"))
    assert.isFalse(writer.delete("k"))
    await until(() => !reader.has("k"), "a delete at the other member")
    reader.clear()
    await until(() => writer.size === 0, "a clear at the other member")
  })

  it("after flush, or an ack, the other member has it", async () => {
    const { reader, writer } = both<number>()
    writer.set("k", 1)
    assert.deepStrictEqual(await a.flush(), { members: 1, left: [] })
    assert.strictEqual(reader.get("k"), 1)
    assert.strictEqual(await writer.set("k", 2, { ack: "all" }), writer)
    assert.strictEqual(reader.get("k"), 2)
    assert.strictEqual(await writer.setMany([["k", 3], ["l", 4]], { ack: 1 }), writer)
    assert.deepStrictEqual([reader.get("k"), reader.get("l")], [3, 4])
    await rejected(writer.set("k", 5, { ack: 2 }), "AckTimeout")
    assert.strictEqual(writer.get("k"), 3)
  })

  it("have the same cache for a name, and refuse other options", () => {
    const cache = a.cache("same", { ttl: 60 })
    assert.strictEqual(a.cache("same"), cache)
    assert.strictEqual(a.cache("same", { ttl: "1 minute" }), cache)
    refused(() => a.cache("same", { ttl: 61 }), "OptionsConflict")
    assert.strictEqual(a.cache().name, "default")
  })

  it("tell of members, metrics and checksums", async () => {
    const { name, writer } = both<number>()
    writer.set("k", 1)
    writer.get("k")
    await a.flush()
    assert.deepStrictEqual(a.members().map(({ id }) => id), [a.id, b.id])
    assert.strictEqual(a.localMetrics(name).namespaces[name].lookups, 1)
    assert.strictEqual(writer.metrics().lookups, 1)
    const metrics = await a.clusterMetrics({ name })
    assert.deepStrictEqual(metrics.missing, [])
    assert.sameMembers(metrics.answers.map(({ member }) => member), [a.id, b.id])
    const checksums = await b.clusterChecksum({ name, key: "k" })
    assert.deepStrictEqual(checksums.answers.map(({ answer }) => answer), Array(2).fill(writer.checksum("k")))
    assert.strictEqual(a.localChecksum(name), b.localChecksum(name))
    refused(() => a.localChecksum(name, ""), "InvalidKey")
    await rejected(a.clusterMetrics({ node: "nobody" }), "InvalidConfig")
  })

  it("clear everywhere", async () => {
    const { name, reader, writer } = both<number>()
    const other = both<number>()
    for (const cache of [writer, other.writer]) cache.set("k", 1)
    await a.flush()
    await b.clear({ name })
    await until(() => writer.size === 0 && reader.size === 0, "a clear of one namespace")
    assert.isTrue(other.writer.has("k"))
    await b.clear()
    await until(() => other.writer.size === 0 && other.reader.size === 0, "a clear of all")
  })

  it("in mode 0 only who holds a key is updated, and a delete reaches everybody", async () => {
    const { reader, writer } = both<number>({ mode: 0 })
    writer.set("k", 1)
    await a.flush()
    assert.isFalse(reader.has("k"))
    assert.strictEqual(await reader.getOrSet("k", () => 2), 2)
    await until(() => writer.get("k") === 2, "the update of a key that is held")
    writer.set("k", 3)
    await until(() => reader.get("k") === 3, "the update the other way")
    reader.delete("k")
    await until(() => !writer.has("k"), "the delete")
  })

  it("in mode 2 a write or a delete elsewhere makes the others drop the key", async () => {
    const { reader, writer } = both<number>({ mode: 2 })
    for (const change of [() => writer.set("k", 2), () => writer.delete("k")]) {
      assert.strictEqual(await reader.getOrSet("k", () => 1), 1)
      change()
      await until(() => !reader.has("k"), "the invalidation")
    }
    writer.set("k", 2)
    assert.strictEqual(writer.get("k"), 2)
    await a.flush()
    assert.isFalse(reader.has("k"))
  })
})

describe("as a Map", () => {
  const changes: ReadonlyArray<(map: Map<Key, number> | StandaloneCache<number>) => unknown> = [
    (map) => map.set("a", 1).set("b", 2).set(3, 3).set("3", 4),
    (map) => map.set("a", 5),
    (map) => map.delete("b"),
    (map) => map.delete("b"),
    (map) => map.set("b", 6).set(-0, 7),
    (map) => map.set(0, 8),
    (map) => map.clear(),
    (map) => map.set("b", 9)
  ]

  it("does what a Map does, in its order, after every step", () => {
    const { writer: cache } = both<number>()
    const map = new Map<Key, number>()
    for (const change of changes) {
      const [expected, got] = [change(map), change(cache)]
      assert.strictEqual(got === cache ? map : got, expected)
      assert.deepStrictEqual([...cache], [...map])
      assert.deepStrictEqual([...cache.entries()], [...map.entries()])
      assert.deepStrictEqual([...cache.keys()], [...map.keys()])
      assert.deepStrictEqual([...cache.values()], [...map.values()])
      assert.strictEqual(cache.size, map.size)
      for (const key of ["a", "b", 3, "3", 0, "other"]) {
        assert.strictEqual(cache.get(key), map.get(key))
        assert.strictEqual(cache.has(key), map.has(key))
      }
    }
  })

  it("forEach passes value, key, the cache, and its this", () => {
    const { writer: cache } = both<number>()
    cache.set("a", 1).set("b", 2)
    const calls: Array<unknown> = []
    const self = {}
    cache.forEach(function(this: unknown, ...given) {
      calls.push([this, ...given])
    }, self)
    assert.deepStrictEqual(calls, [[self, 1, "a", cache], [self, 2, "b", cache]])
  })

  it("iteration survives what the loop does to the cache", () => {
    const { writer: cache } = both<number>()
    const map = new Map<Key, number>()
    for (const made of [cache, map]) made.set("a", 1).set("b", 2).set("c", 3)
    const walk = (made: StandaloneCache<number> | Map<Key, number>): ReadonlyArray<Key> => {
      const met: Array<Key> = []
      for (const [key] of made) {
        met.push(key)
        if (key === "a") made.delete("b")
        if (key === "c") made.set("a", 9).set("d", 4)
        if (key === "d") made.clear()
      }
      return met
    }
    assert.deepStrictEqual(walk(cache), walk(map))
  })

  it("has the methods that a Map lacks", () => {
    const { writer: cache } = both<number>()
    assert.strictEqual(cache.setMany([["a", 1], ["b", 2], ["c", 3]]), cache)
    assert.strictEqual(cache.setDefault("a", 9), 1)
    assert.strictEqual(cache.setDefault("d", 4), 4)
    assert.strictEqual(cache.peek("a"), 1)
    assert.strictEqual(cache.getUnsafe("a"), 1)
    assert.isUndefined(cache.getUnsafe("other"))
    assert.isAbove(cache.bytes, 0)
    assert.strictEqual(cache.metadata("a")?.writer, a.id)
    assert.strictEqual(cache.pop("a"), 1)
    assert.isUndefined(cache.pop("a"))
    assert.deepStrictEqual(cache.popItem(), ["b", 2])
    assert.strictEqual(cache.deleteMany(["c", "d", "e"]), 2)
    assert.isUndefined(cache.popItem())
    assert.isUndefined(cache.metadata("a"))
  })
})

describe("getOrSet", () => {
  it("computes once for all who ask, and not what is there", async () => {
    const { writer: cache } = both<number>()
    let runs = 0
    const compute = async () => {
      await Promise.resolve()
      return ++runs
    }
    assert.deepStrictEqual(await Promise.all([1, 2, 3].map(() => cache.getOrSet("k", compute))), [1, 1, 1])
    assert.strictEqual(await cache.getOrSet("k", compute), 1)
    assert.strictEqual(cache.get("k"), 1)
  })

  it("caches no failure, be it thrown or rejected, and hands it to all who waited", async () => {
    const { writer: cache } = both<number>()
    const failures: ReadonlyArray<() => number | Promise<number>> = [
      () => {
        throw new Error("thrown")
      },
      () => Promise.reject(new Error("rejected"))
    ]
    for (const fail of failures) {
      const outcomes = await Promise.allSettled([cache.getOrSet("k", fail), cache.getOrSet("k", fail)])
      assert.deepStrictEqual(outcomes.map(({ status }) => status), ["rejected", "rejected"])
      assert.isFalse(cache.has("k"))
    }
    assert.strictEqual(await cache.getOrSet("k", () => 1), 1)
    assert.strictEqual(cache.get("k"), 1)
  })

  it("does not store what was overtaken by a set, a delete or a clear", async () => {
    for (const mode of [0, 1, 2] as const) {
      const { writer: cache } = both<number>({ mode })
      const overtake: ReadonlyArray<readonly [happen: () => unknown, after: number | undefined]> = [
        [() => cache.set("k", 2), 2],
        [() => cache.delete("k"), undefined],
        [() => cache.clear(), undefined]
      ]
      for (const [happen, after] of overtake) {
        cache.delete("k")
        const computing = cache.getOrSet("k", async () => {
          await Promise.resolve()
          happen()
          return 1
        })
        assert.strictEqual(await computing, 1)
        assert.strictEqual(cache.get("k"), after)
      }
    }
  })

  it("rejects a bad key, a bad ttl and a result that cannot be stored", async () => {
    const { writer: cache } = both()
    await rejected(cache.getOrSet("", () => 1), "InvalidKey")
    await rejected(cache.getOrSet("k", () => 1, { ttl: -1 }), "InvalidConfig")
    await rejected(cache.getOrSet("k", () => () => 1), "Unencodable")
    assert.strictEqual(await cache.getOrSet("k", () => 1), 1)
  })
})

describe("change", () => {
  it("tells listeners of what happens here and there, until they are taken off", async () => {
    const { reader, writer } = both<number>()
    const seen: Array<string> = []
    const other: Array<Change> = []
    const listener = ({ key, origin, type }: Change) => void seen.push(`${origin} ${type} ${key}`)
    const second = (change: Change) => void other.push(change)
    assert.strictEqual(reader.on("change", listener), reader)
    reader.on("change", listener).on("change", second)
    reader.set("own", 1)
    writer.set("k", 1)
    await until(() => seen.length === 2, "two changes")
    reader.delete("own")
    await until(() => seen.length === 3, "three changes")
    assert.deepStrictEqual(seen, ["local set own", "remote set k", "local delete own"])
    await until(() => other.length === 3, "three changes at the other listener")
    reader.off("change", listener).off("change", listener)
    writer.set("l", 1)
    await until(() => other.length === 4, "a change at the listener that stayed")
    assert.strictEqual(seen.length, 3)
    reader.off("change", second)
  })

  it("knows no other events", () => {
    const { writer: cache } = both()
    const other: string = "changed"
    assert.throws(() => cache.on(other as "change", () => {}), TypeError)
    assert.throws(() => a.on(other as "event", () => {}), TypeError)
  })
})

describe("times to live", () => {
  it("a number is seconds, fractions count, zero and infinite are for ever", async () => {
    const { writer: cache } = both<number>()
    const now = Date.now()
    const left = (key: string) => {
      const at = cache.metadata(key)?.expiresAt
      return at === undefined ? undefined : Math.round((at - now) / 100) / 10
    }
    const given: ReadonlyArray<readonly [ttl: Duration.Input, seconds: number | undefined]> = [
      [90, 90],
      [2.5, 2.5],
      ["2 minutes", 120],
      ["30", 30] as never,
      [Duration.hours(1), 3_600],
      [{ minutes: 1, seconds: 1 }, 61],
      [1_000_000_000n, 1],
      [0, undefined],
      [Infinity, undefined],
      [Duration.infinity, undefined]
    ]
    for (const [ttl, seconds] of given) {
      cache.set("k", 1, { ttl })
      if (seconds === undefined) assert.isUndefined(left("k"), String(ttl))
      else assert.closeTo(left("k") ?? 0, seconds, 1, String(ttl))
    }
    cache.set("short", 1, { ttl: 0.02 })
    assert.isTrue(cache.has("short"))
    await until(() => !cache.has("short"), "the end of 20 ms")
  })

  it("refuses what is no time to live, naming it, and changes nothing", () => {
    const { writer: cache } = both<number>()
    cache.set("k", 1)
    const stamp = cache.metadata("k")?.stamp
    const given: ReadonlyArray<unknown> = [
      -1,
      -0.5,
      Number.NaN,
      -Infinity,
      0.0004,
      1e12,
      "soon",
      "-5 seconds",
      {},
      null,
      true,
      () => 1
    ]
    for (const ttl of given) {
      const error = refused(() => cache.set("k", 2, { ttl: ttl as number }), "InvalidConfig")
      assert.include(error.message, "ttl is")
      refused(() => cache.setMany([["k", 2]], { ttl: ttl as number }), "InvalidConfig")
    }
    assert.deepStrictEqual(cache.metadata("k")?.stamp, stamp)
  })
})

describe("the end", () => {
  it("close may be called again, everything else is Closed then", async () => {
    const mccache = await start({ cluster: `${settings.cluster}-end` })
    const cache = mccache.cache<number>("n")
    cache.set("k", 1)
    const seen: Array<Change> = []
    const listener = (change: Change) => void seen.push(change)
    cache.on("change", listener)
    const closing = mccache.close()
    assert.strictEqual(mccache.close(), closing)
    await closing
    await mccache.close()
    const calls: ReadonlyArray<() => unknown> = [
      () => cache.get("k"),
      () => cache.getUnsafe("k"),
      () => cache.peek("k"),
      () => cache.has("k"),
      () => cache.set("k", 1),
      () => cache.setMany([["k", 1]]),
      () => cache.setMany([]),
      () => cache.setDefault("k", 1),
      () => cache.delete("k"),
      () => cache.deleteMany(["k"]),
      () => cache.deleteMany([]),
      () => cache.pop("k"),
      () => cache.popItem(),
      () => cache.clear(),
      () => cache.size,
      () => cache.bytes,
      () => cache.keys(),
      () => cache.values(),
      () => cache.entries(),
      () => cache[Symbol.iterator](),
      () => cache.forEach(() => {}),
      () => cache.metadata("k"),
      () => cache.metrics(),
      () => cache.checksum(),
      () => cache.checksum("k"),
      () => cache.on("change", () => {}),
      () => mccache.cache("n"),
      () => mccache.cache("other"),
      () => mccache.members(),
      () => mccache.localMetrics(),
      () => mccache.localChecksum(),
      () => mccache.on("event", () => {})
    ]
    for (const call of calls) refused(call, "Closed")
    const promises: ReadonlyArray<() => Promise<unknown>> = [
      () => cache.getOrSet("k", () => 1),
      () => cache.set("k", 1, { ack: "all" }),
      () => cache.setMany([["k", 1]], { ack: 0 }),
      () => mccache.clear(),
      () => mccache.clusterMetrics(),
      () => mccache.clusterChecksum(),
      () => mccache.flush(),
      () => mccache.ready()
    ]
    for (const promise of promises) await rejected(promise(), "Closed")
    cache.off("change", listener)
  })

  it("await using closes", async () => {
    let cache: StandaloneCache<unknown>
    {
      await using mccache = await start({ cluster: `${settings.cluster}-using` })
      cache = mccache.cache("n")
      cache.set("k", 1)
    }
    refused(() => cache.get("k"), "Closed")
  })

  it("a bad option rejects open, naming it", async () => {
    const error = await rejected(start({ multicastIp: "10.0.0.1" }), "InvalidConfig")
    assert.include(error.message, "10.0.0.1")
  })
})
