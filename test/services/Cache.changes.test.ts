/** `changes` and the `onChange` callback of `Cache<V>` on a simulated cluster. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Change, ChangedSinceRead } from "../../src/services/Changes.ts"
import * as Changes from "../../src/services/Changes.ts"
import * as Counters from "../../src/services/Counters.ts"
import type { CacheOptions } from "../../src/services/Opening.ts"
import { pair, pairs } from "./support/Pair.ts"

describe("changes", () => {
  it.effect("tells what happens from now on, with its kind and origin", () =>
    Effect.gen(function*() {
      const { a, cluster, reader, writer } = yield* pair({ max: 3 })
      yield* writer.set("before", 0)
      yield* cluster.advance("100 millis")
      const seen: Array<Change> = []
      yield* Effect.forkChild(Stream.runForEach(reader.changes, (change) => Effect.sync(() => void seen.push(change))))
      yield* Effect.yieldNow
      const told = Effect.map(cluster.advance("100 millis"), () =>
        seen.splice(0).map(({ key, origin, type }) => `${origin} ${type} ${key}`))
      yield* writer.set("k", 1)
      assert.deepStrictEqual(yield* told, ["remote set k"])
      yield* reader.set("k", 2)
      assert.deepStrictEqual(yield* told, ["local set k"])
      yield* writer.delete("k")
      assert.deepStrictEqual(yield* told, ["remote delete k"])
      yield* reader.setMany([["x", 1], ["y", 1], ["z", 1]])
      assert.deepStrictEqual(yield* told, ["local set x", "local set y", "local set z", "local evict before"])
      yield* writer.clear()
      assert.deepStrictEqual(yield* told, ["remote clear x", "remote clear y", "remote clear z"])
      yield* writer.set("short", 1, { ttl: 0.05 })
      yield* cluster.advance("5 seconds")
      assert.deepStrictEqual(yield* told, ["remote set short", "local expire short"])
      yield* writer.set("k", 3)
      yield* cluster.advance("100 millis")
      const { stamp } = Option.getOrThrow(yield* writer.metadata("k"))
      assert.deepStrictEqual(seen, [{ type: "set", namespace: "n", key: "k", stamp, origin: "remote" }])
      assert.strictEqual(stamp.writer, a.mccache.id)
    }))

  it.effect("tells of a collision as incoherent at both members, and both lose the key", () =>
    Effect.gen(function*() {
      const { cluster, reader, writer } = yield* pair()
      const seen: Array<string> = []
      for (const cache of [writer, reader]) {
        yield* Effect.forkChild(
          Stream.runForEach(cache.changes, ({ key, type }) => Effect.sync(() => void seen.push(`${type} ${key}`)))
        )
      }
      yield* Effect.yieldNow
      // Different writers, one turn of one clock: equal stamps.
      yield* writer.set("k", 1)
      yield* reader.set("k", 2)
      yield* cluster.advance("100 millis")
      assert.deepStrictEqual(seen.sort(), ["incoherent k", "incoherent k", "set k", "set k"])
      assert.isFalse(yield* writer.has("k"))
      assert.isFalse(yield* reader.has("k"))
      assert.strictEqual((yield* reader.metrics).collisions, 1)
    }))

  it.effect("a listener may write while it hears of a clear: that is sent, and a flush waits for it", () =>
    Effect.gen(function*() {
      const { a, cluster, reader, writer } = yield* pair()
      yield* writer.set("x", 1)
      let written = 0
      yield* Effect.forkChild(
        Stream.runForEach(
          writer.changes,
          ({ type }) => type === "clear" && written++ === 0 ? writer.set("config", 1) : Effect.void
        )
      )
      yield* Effect.yieldNow
      yield* writer.clear()
      const flushing = yield* Effect.forkChild(a.mccache.flush())
      yield* cluster.advance("100 millis")
      assert.strictEqual(flushing.pollUnsafe()?._tag, "Success")
      assert.strictEqual(written, 1)
      assert.deepStrictEqual(yield* pairs(reader), [["config", 1]])
    }))

  it.effect("a listener is not run inside the write that it hears of", () =>
    Effect.gen(function*() {
      const { a } = yield* pair()
      const core = a.member.cache<number>("n")
      const heard: Array<string> = []
      yield* Effect.forkChild(
        Stream.runForEach(core.namespace.changes.stream, ({ key }) => Effect.sync(() => void heard.push(String(key))))
      )
      yield* Effect.yieldNow
      core.set("x", 1)
      core.set("y", 1)
      assert.deepStrictEqual(heard, [])
      yield* Effect.yieldNow
      yield* Effect.yieldNow
      assert.deepStrictEqual(heard, ["x", "y"])
    }))

  it.effect("a listener hears of all that one turn changes; of more than it may lag behind, of the newest", () =>
    Effect.gen(function*() {
      const { a } = yield* pair({ max: 4_000 })
      const core = a.member.cache<number>("n")
      let heard: Array<Change> = []
      const changes = core.namespace.changes.stream
      yield* Effect.forkChild(Stream.runForEach(changes, (change) => Effect.sync(() => void heard.push(change))))
      yield* Effect.yieldNow
      const listened = Effect.repeat(Effect.yieldNow, { times: 10 })
      for (let key = 0; key < 4_000; key++) core.set(key, 1)
      core.clear()
      yield* listened
      assert.strictEqual(heard.length, 8_000)
      assert.strictEqual(a.member.localMetrics("n").coherence.changesDropped, 0)
      heard = []
      for (let round = 0; round < 10_000; round++) core.set("k", round)
      core.set("last", 1)
      yield* listened
      assert.isAtLeast(heard.length, 8_000)
      assert.strictEqual(heard.at(-1)?.key, "last")
      assert.isAbove(a.member.localMetrics("n").coherence.changesDropped, 0)
    }))

  it.effect("costs a namespace nothing until somebody subscribes", () =>
    Effect.gen(function*() {
      const counters = Counters.make()
      const options = { counters, callbackWindowMillis: 0, onChange: undefined, cacheMax: 256 }
      const before = process.memoryUsage().heapUsed
      const made: Array<Changes.Changes> = []
      for (let index = 0; index < 1_000; index++) made.push(yield* Changes.make({ ...options, namespace: `n${index}` }))
      const bytes = process.memoryUsage().heapUsed - before
      // 65 MB if each had room for what a subscriber may lag behind.
      assert.isBelow(bytes, 20_000_000)
      for (const { publish } of made) publish("set", "k", 1, "a".repeat(32), "local")
      assert.strictEqual(counters.changesDropped, 0)
    }))

  it.effect("ends when the member leaves", () =>
    Effect.gen(function*() {
      const { cluster, writer } = yield* pair()
      const watching = yield* Effect.forkChild(Stream.runDrain(writer.changes))
      yield* Effect.yieldNow
      const leaving = yield* Effect.forkChild(cluster.leave("a"))
      yield* cluster.advance("10 seconds")
      yield* Fiber.join(leaving)
      assert.isDefined(watching.pollUnsafe())
    }))

  it.effect("ends at once when the member has left, also if nobody subscribed before", () =>
    Effect.gen(function*() {
      const { cluster, writer } = yield* pair()
      const leaving = yield* Effect.forkChild(cluster.leave("a"))
      yield* cluster.advance("10 seconds")
      yield* Fiber.join(leaving)
      const watching = yield* Effect.forkChild(Stream.runDrain(writer.changes))
      yield* Effect.yieldNow
      yield* cluster.advance(1)
      assert.isDefined(watching.pollUnsafe())
    }))
})

describe("onChange", () => {
  const watched = Effect.fnUntraced(function*(
    onChange?: (change: ChangedSinceRead) => void,
    options: CacheOptions<unknown> = {}
  ) {
    const told: Array<ChangedSinceRead> = []
    const made = yield* pair(options, {
      reader: {
        ...options,
        callbackWin: 5,
        onChange: (change) => {
          told.push(change)
          onChange?.(change)
        }
      }
    })
    return { ...made, told }
  })

  it.effect("tells when the key was looked up, also when a listener writes it anew at once", () =>
    Effect.gen(function*() {
      const { cluster, reader, told, writer } = yield* watched()
      yield* writer.set("k", 1)
      yield* cluster.advance("100 millis")
      yield* reader.get("k")
      let anew = 0
      yield* Effect.forkChild(
        Stream.runForEach(
          reader.changes,
          ({ type }) => type === "delete" && anew++ === 0 ? reader.set("k", 2) : Effect.void
        )
      )
      yield* Effect.yieldNow
      yield* writer.delete("k")
      yield* cluster.advance("100 millis")
      assert.strictEqual(anew, 1)
      assert.deepStrictEqual(told.map(({ key, type }) => `${type} ${key}`), ["delete k"])
    }))

  it.effect("tells, once, of an update or delete elsewhere of a key that was looked up here not long ago", () =>
    Effect.gen(function*() {
      const { cluster, reader, told, writer } = yield* watched()
      yield* writer.set("k", 1)
      yield* writer.set("unread", 1)
      yield* cluster.advance("100 millis")
      const lookedUpAt = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      yield* reader.get("k")
      const before = Option.getOrThrow(yield* reader.metadata("k"))
      yield* cluster.advance("4 seconds")
      yield* writer.set("k", 2)
      yield* writer.set("unread", 2)
      const after = Option.getOrThrow(yield* writer.metadata("k"))
      yield* cluster.advance("100 millis")
      const [update, ...more] = told.splice(0)
      assert.deepStrictEqual(more, [])
      const { elapsedMillis, ...rest } = update
      assert.deepStrictEqual(rest, {
        type: "update",
        namespace: "n",
        key: "k",
        lookedUpAt,
        stamp: after.stamp,
        previousCrc: before.crc,
        crc: after.crc
      })
      assert.isAtLeast(elapsedMillis, 4_000)
      assert.isBelow(elapsedMillis, 4_100)
      // Nobody read the new value: its end is no news.
      yield* writer.delete("k")
      yield* cluster.advance("100 millis")
      assert.deepStrictEqual(told, [])
      yield* reader.get("unread")
      yield* writer.delete("unread")
      yield* cluster.advance("100 millis")
      assert.deepStrictEqual(told.map(({ crc, key, type }) => [type, key, crc]), [["delete", "unread", undefined]])
    }))

  it.effect("tells the checksum of a value that was never sent, and is gone", () =>
    Effect.gen(function*() {
      const { cluster, reader, told, writer } = yield* watched(undefined, { mode: 2 })
      for (const key of ["set", "cleared", "twin"]) yield* reader.getOrSet(key, Effect.succeed("computed"))
      const { crc } = Option.getOrThrow(yield* reader.metadata("twin"))
      yield* reader.get("set")
      yield* reader.get("cleared")
      yield* cluster.advance("10 millis")
      yield* writer.set("set", 1)
      yield* cluster.advance("100 millis")
      yield* writer.clear()
      yield* cluster.advance("100 millis")
      assert.deepStrictEqual(
        told.map(({ key, previousCrc, type }) => [type, key, previousCrc]),
        [["delete", "set", crc], ["delete", "cleared", crc]]
      )
    }))

  it.effect("tells nothing of what was read too long ago, of a peek, and of own writes", () =>
    Effect.gen(function*() {
      const { cluster, reader, told, writer } = yield* watched()
      yield* writer.setMany([["old", 1], ["peeked", 1], ["own", 1]])
      yield* cluster.advance("100 millis")
      yield* reader.get("old")
      yield* cluster.advance("5001 millis")
      yield* reader.peek("peeked")
      yield* reader.get("own")
      yield* reader.set("own", 2)
      yield* writer.setMany([["old", 2], ["peeked", 2]])
      yield* cluster.advance("100 millis")
      assert.deepStrictEqual(told, [])
    }))

  it.effect("tells of a collision as incoherent", () =>
    Effect.gen(function*() {
      const { cluster, reader, told, writer } = yield* watched()
      yield* reader.set("k", 2)
      yield* reader.get("k")
      yield* writer.set("k", 1)
      yield* cluster.advance("100 millis")
      assert.deepStrictEqual(told.map(({ crc, key, type }) => [type, key, crc]), [["incoherent", "k", undefined]])
      assert.strictEqual((yield* reader.metrics).incoherent, 1)
    }))

  it.effect("a callback that throws is counted and harms nothing", () =>
    Effect.gen(function*() {
      const { b, cluster, reader, told, writer } = yield* watched(() => {
        throw new Error("callback")
      })
      for (let round = 1; round <= 2; round++) {
        yield* writer.setMany([["a", round], ["b", round]])
        yield* cluster.advance("100 millis")
        assert.deepStrictEqual(yield* pairs(reader), [["a", round], ["b", round]])
        yield* reader.get("a")
        yield* reader.get("b")
      }
      assert.deepStrictEqual(told.map(({ key }) => key), ["a", "b"])
      const metrics = yield* b.mccache.localMetrics()
      assert.strictEqual(metrics.coherence.callbackFailures, 2)
      assert.isTrue(Object.values(metrics.restarts).every((restarts) => restarts === 0))
    }))
})
