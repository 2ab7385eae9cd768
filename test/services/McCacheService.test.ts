/** The `McCache` service on a simulated cluster; what waits and how it ends is in `McCacheService.waits.test.ts`. */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Key } from "../../src/domain/Key.ts"
import type { CacheOptions } from "../../src/services/Opening.ts"
import { fails, pair, pairs } from "./support/Pair.ts"

describe("cache", () => {
  it.effect("gives one and the same cache for a name, and \"default\" for none", () =>
    Effect.gen(function*() {
      const { a, writer } = yield* pair({ ttl: 60, max: 10 })
      assert.strictEqual(yield* a.mccache.cache("n"), writer)
      assert.strictEqual((yield* a.mccache.cache()).name, "default")
      assert.strictEqual(yield* a.mccache.cache(), yield* a.mccache.cache("default"))
      assert.notStrictEqual(yield* a.mccache.cache(), writer)
    }))

  it.effect("asked again with the same options, however they are written, gives the cache", () =>
    Effect.gen(function*() {
      const onChange = () => {}
      const { a, writer } = yield* pair({ ttl: "1 minute", max: 10, value: Schema.Number, onChange })
      for (
        const options of [
          { ttl: 60 },
          { ttl: Duration.minutes(1) },
          { ttl: { minutes: 1 }, max: 10 },
          { mode: 1, collision: "tie", eviction: "updated", size: 8_388_608, callbackWin: 5 },
          { value: Schema.Number, onChange },
          { ttl: undefined, value: undefined },
          {}
        ] satisfies ReadonlyArray<CacheOptions<number>>
      ) {
        assert.strictEqual(yield* a.mccache.cache<number>("n", options), writer)
      }
    }))

  it.effect("asked again with other options fails with OptionsConflict that names the option", () =>
    Effect.gen(function*() {
      const { a } = yield* pair<number>({ ttl: 60, value: Schema.Number })
      const others = {
        ttl: { ttl: 61 },
        max: { max: 10 },
        size: { size: 2_048 },
        mode: { mode: 2 },
        collision: { collision: "latest" },
        eviction: { eviction: "used" },
        callbackWin: { callbackWin: 1 },
        value: { value: Schema.Int },
        onChange: { onChange: () => {} }
      } satisfies { readonly [option: string]: CacheOptions<number> }
      for (const [option, options] of Object.entries(others)) {
        const error = yield* fails(a.mccache.cache<number>("n", options), "OptionsConflict")
        assert.include(error.message, `another ${option}:`)
      }
      yield* fails(a.mccache.cache<number>("n", { ttl: -1 }), "InvalidConfig")
    }))

  it.effect("refuses bad names and bad options, naming them", () =>
    Effect.gen(function*() {
      const { a } = yield* pair()
      for (const name of ["", "x".repeat(129), "\ud800"]) yield* fails(a.mccache.cache(name), "InvalidConfig")
      yield* a.mccache.cache("x".repeat(128))
      assert.include((yield* fails(a.mccache.cache("m", { max: 0 }), "InvalidConfig")).message, "option max")
      assert.include((yield* fails(a.mccache.cache("m", { size: 10 }), "InvalidConfig")).message, "option size")
      const used = yield* fails(a.mccache.cache("m", { eviction: "used" }), "InvalidConfig")
      assert.include(used.message, "option eviction")
      yield* a.mccache.cache("m")
    }))

  const cluster: ReadonlyArray<readonly [held: CacheOptions<unknown>, asked: CacheOptions<unknown>]> = [
    [{ mode: 1 }, { mode: 0 }],
    [{ mode: 2 }, {}],
    [{}, { collision: "latest" }],
    [{ mode: 0, eviction: "used" }, { mode: 0, eviction: "updated" }]
  ]
  for (const [held, asked] of cluster) {
    it.effect(`fails with OptionsConflict where the cluster has ${JSON.stringify(held)} and ${JSON.stringify(asked)} is asked`, () =>
      Effect.gen(function*() {
        const { a, b, cluster } = yield* pair()
        yield* a.mccache.cache("other", held)
        yield* cluster.advance("3 seconds")
        const error = yield* fails(b.mccache.cache("other", asked), "OptionsConflict")
        const [option] = Object.entries(held).concat(Object.entries(asked)).at(-1) ?? []
        assert.include(error.message, "a:1")
        assert.match(error.message, new RegExp(`${option}=.*${option}=`))
        yield* b.mccache.cache("other", held)
      }))
  }

  it.effect("sizes and ttl may differ between members", () =>
    Effect.gen(function*() {
      const { cluster, reader, writer } = yield* pair({ max: 10, size: 4_096, ttl: 60 }, {
        reader: { max: 20, size: 8_192, ttl: 0 }
      })
      yield* writer.set("k", 1)
      yield* reader.set("l", 2)
      yield* cluster.advance("1 second")
      assert.deepStrictEqual(yield* pairs(writer), [["k", 1], ["l", 2]])
      assert.deepStrictEqual(yield* pairs(reader), [["l", 2], ["k", 1]])
      assert.isDefined(Option.getOrThrow(yield* reader.metadata("k")).expiresAt)
      assert.isUndefined(Option.getOrThrow(yield* writer.metadata("l")).expiresAt)
    }))

  it.effect("a value larger than another member's cache does not stay there, and does not push out what does", () =>
    Effect.gen(function*() {
      const { cluster, reader, writer } = yield* pair({ size: 8_192 }, { reader: { size: 1_024 } })
      yield* writer.set("small", 1)
      yield* writer.set("large", "x".repeat(2_000))
      yield* cluster.advance("1 second")
      assert.deepStrictEqual([...yield* reader.keys], ["small"])
      assert.strictEqual(yield* writer.size, 2)
    }))
})

/** Three members with two namespaces each, with one entry in each. */
const three = Effect.fnUntraced(function*() {
  const { a, b, cluster } = yield* pair()
  const c = yield* cluster.join("c")
  const nodes = [a, b, c]
  for (const { mccache } of nodes) {
    yield* mccache.cache("n")
    yield* mccache.cache("m")
  }
  yield* cluster.advance("3 seconds")
  for (const name of ["n", "m"]) {
    const cache = yield* a.mccache.cache(name)
    yield* cache.set("k", name)
  }
  yield* cluster.advance("1 second")
  const held = Effect.fnUntraced(function*() {
    const all: Array<ReadonlyArray<Key>> = []
    for (const { mccache } of nodes) {
      const [n, m] = [yield* mccache.cache("n"), yield* mccache.cache("m")]
      all.push([...(yield* n.values) as IterableIterator<string>, ...(yield* m.values) as IterableIterator<string>])
    }
    return all
  })
  assert.deepStrictEqual(yield* held(), [["n", "m"], ["n", "m"], ["n", "m"]])
  return { a, b, c, cluster, nodes, held }
})

describe("clear", () => {
  it.effect("clears all namespaces everywhere, also those that are opened later", () =>
    Effect.gen(function*() {
      const { a, b, cluster, held } = yield* three()
      const late = yield* a.mccache.cache("late")
      yield* late.set("k", 1)
      yield* cluster.advance("1 second")
      yield* b.mccache.clear()
      yield* cluster.advance("1 second")
      assert.deepStrictEqual(yield* held(), [[], [], []])
      assert.strictEqual(yield* (yield* b.mccache.cache("late")).size, 0)
      assert.strictEqual(yield* late.size, 0)
    }))

  it.effect("clears what was written before, comes after, and is of a namespace that was opened in between", () =>
    Effect.gen(function*() {
      const { a, b, c, cluster } = yield* three()
      const late = yield* c.mccache.cache("late")
      yield* cluster.advance("1 second")
      cluster.hub.block(c.name, b.name)
      yield* late.set("k", 1)
      yield* cluster.advance(5)
      yield* a.mccache.clear()
      yield* cluster.advance(5)
      // Nobody else tells it of the clear once more.
      cluster.hub.block(a.name, b.name)
      const opened = yield* b.mccache.cache("late")
      yield* cluster.advance(100)
      cluster.heal()
      cluster.hub.block(a.name, b.name)
      for (let wait = 0; wait < 200; wait++) {
        yield* cluster.advance(1)
        assert.isFalse(yield* opened.has("k"), `after ${wait} ms`)
      }
      assert.strictEqual(b.member.members().length, 3)
    }))

  it.effect("clears one namespace everywhere", () =>
    Effect.gen(function*() {
      const { b, cluster, held } = yield* three()
      yield* b.mccache.clear({ name: "n" })
      assert.deepStrictEqual((yield* held())[1], ["m"])
      yield* cluster.advance("1 second")
      assert.deepStrictEqual(yield* held(), [["m"], ["m"], ["m"]])
    }))

  it.effect("clears at one member, which then has everything from the others again", () =>
    Effect.gen(function*() {
      const { b, c, cluster, held } = yield* three()
      const n = yield* c.mccache.cache("n")
      const before = yield* c.mccache.localMetrics()
      const removed: Array<string> = []
      yield* Effect.forkChild(
        Stream.runForEach(n.changes, ({ key, type }) => Effect.sync(() => void removed.push(`${type} ${key}`)))
      )
      yield* Effect.yieldNow
      const clearing = yield* Effect.forkChild(b.mccache.clear({ node: "c:3" }))
      yield* cluster.advance("5 seconds")
      yield* Fiber.join(clearing)
      assert.deepStrictEqual(removed, ["delete k", "set k"])
      assert.deepStrictEqual(yield* held(), [["n", "m"], ["n", "m"], ["n", "m"]])
      const after = yield* c.mccache.localMetrics()
      for (const name of ["n", "m"]) {
        assert.strictEqual(after.namespaces[name].deletes, before.namespaces[name].deletes + 1)
      }
    }))

  it.effect("clears one namespace at one member, also at itself", () =>
    Effect.gen(function*() {
      const { a, b, c, cluster, held } = yield* three()
      for (const clearing of [b.mccache, c.mccache]) {
        const before = yield* c.mccache.localMetrics()
        const fiber = yield* Effect.forkChild(clearing.clear({ name: "n", node: c.mccache.id.slice(0, 8) }))
        yield* cluster.advance("5 seconds")
        yield* Fiber.join(fiber)
        const after = yield* c.mccache.localMetrics()
        assert.strictEqual(after.namespaces["n"].deletes, before.namespaces["n"].deletes + 1)
        assert.strictEqual(after.namespaces["m"].deletes, before.namespaces["m"].deletes)
      }
      assert.strictEqual((yield* a.mccache.localMetrics()).namespaces["n"].deletes, 0)
      assert.deepStrictEqual(yield* held(), [["n", "m"], ["n", "m"], ["n", "m"]])
    }))

  it.effect("fails for a member that nobody knows, and for one that does not answer", () =>
    Effect.gen(function*() {
      const { b, cluster } = yield* three()
      const error = yield* fails(b.mccache.clear({ node: "nobody" }), "InvalidConfig")
      assert.include(error.message, "a:1")
      yield* fails(b.mccache.clear({ node: "" }), "InvalidConfig")
      cluster.pause("c")
      const clearing = yield* Effect.forkChild(fails(b.mccache.clear({ node: "c:3" }), "AckTimeout"))
      yield* cluster.advance("5 seconds")
      assert.include((yield* Fiber.join(clearing)).message, "c:3")
    }))
})

describe("members", () => {
  it.effect("tells who is there, itself first", () =>
    Effect.gen(function*() {
      const { a, b } = yield* pair()
      const [self, other, ...more] = yield* a.mccache.members
      assert.deepStrictEqual(more, [])
      assert.deepStrictEqual(self, {
        id: a.mccache.id,
        label: "a:1",
        host: "a",
        pid: 1,
        thread: 0,
        address: self.address,
        version: self.version,
        state: "self",
        lag: 0,
        clockSkewMillis: 0,
        differences: []
      })
      assert.deepInclude(other, { id: b.mccache.id, label: "b:2", state: "ready", lag: 0, version: self.version })
      assert.notStrictEqual(other.address, self.address)
    }))

  it.effect("tells the skew of a clock, who is suspect, and forgets who is gone", () =>
    Effect.gen(function*() {
      const { a, b, cluster } = yield* pair()
      b.skew(100)
      yield* cluster.advance("10 seconds")
      assert.closeTo((yield* a.mccache.members)[1].clockSkewMillis, 100, 5)
      yield* cluster.kill("b")
      yield* cluster.advance("7 seconds")
      assert.strictEqual((yield* a.mccache.members)[1].state, "suspect")
      yield* cluster.advance("12 seconds")
      assert.strictEqual((yield* a.mccache.members).length, 1)
    }))

  it.effect("tells the lag of a member that does not settle what is sent", () =>
    Effect.gen(function*() {
      const { a, cluster, writer } = yield* pair()
      cluster.pause("b")
      yield* writer.set("k", 1)
      yield* cluster.advance("2 seconds")
      const [, other] = yield* a.mccache.members
      assert.deepStrictEqual([other.lag, other.state], [1, "lagging"])
      cluster.resume("b")
      yield* cluster.advance("5 seconds")
      assert.deepInclude((yield* a.mccache.members)[1], { lag: 0, state: "ready" })
    }))
})

describe("metrics and checksums", () => {
  it.effect("localMetrics tells of all namespaces, or of one", () =>
    Effect.gen(function*() {
      const { a } = yield* three()
      const all = yield* a.mccache.localMetrics()
      assert.deepInclude(all, { member: a.mccache.id, label: "a:1" })
      assert.deepStrictEqual(Object.keys(all.namespaces).sort(), ["m", "n"])
      assert.deepInclude(all.namespaces["n"], { count: 1, inserts: 1 })
      assert.strictEqual(all.coherence.members, 3)
      assert.isAtLeast(all.operations.out["PUT"], 1)
      assert.deepStrictEqual(Object.keys((yield* a.mccache.localMetrics("n")).namespaces), ["n"])
      assert.deepStrictEqual((yield* a.mccache.localMetrics("other")).namespaces, {})
    }))

  it.effect("clusterMetrics brings every member's answer, of all namespaces or one, or of one member", () =>
    Effect.gen(function*() {
      const { a, b, c, cluster, nodes } = yield* three()
      const gather = Effect.fnUntraced(function*(options?: Parameters<typeof a.mccache.clusterMetrics>[0]) {
        const fiber = yield* Effect.forkChild(a.mccache.clusterMetrics(options))
        yield* cluster.advance("1 second")
        return yield* Fiber.join(fiber)
      })
      const all = yield* gather()
      assert.deepStrictEqual(all.missing, [])
      assert.sameMembers(all.answers.map(({ member }) => member), nodes.map(({ mccache }) => mccache.id))
      for (const { answer, label, member } of all.answers) {
        assert.deepInclude(answer, { member, label })
        assert.strictEqual(answer.namespaces["n"].count, 1)
        assert.strictEqual(answer.namespaces["m"].count, 1)
      }
      const one = yield* gather({ name: "m" })
      for (const { answer } of one.answers) assert.deepStrictEqual(Object.keys(answer.namespaces), ["m"])
      assert.strictEqual(one.answers.length, 3)
      for (const node of ["c:3", c.mccache.id, c.mccache.id.slice(0, 6)]) {
        assert.deepStrictEqual((yield* gather({ node })).answers.map(({ label }) => label), ["c:3"])
      }
      assert.deepStrictEqual((yield* gather({ node: "a:1" })).answers.map(({ label }) => label), ["a:1"])
      yield* fails(b.mccache.clusterMetrics({ node: "nobody" }), "InvalidConfig")
      yield* fails(b.mccache.clusterMetrics({ timeout: -1 }), "InvalidConfig")
    }))

  it.effect("members that do not answer in time are named, the others' answers are there", () =>
    Effect.gen(function*() {
      const { a, cluster } = yield* three()
      cluster.pause("b")
      const metrics = yield* Effect.forkChild(a.mccache.clusterMetrics({ timeout: 1 }))
      const checksums = yield* Effect.forkChild(a.mccache.clusterChecksum({ timeout: 1 }))
      yield* cluster.advance(999)
      assert.isUndefined(metrics.pollUnsafe())
      yield* cluster.advance(1)
      for (const gathered of [yield* Fiber.join(metrics), yield* Fiber.join(checksums)]) {
        assert.deepStrictEqual(gathered.missing, ["b:2"])
        assert.sameMembers(gathered.answers.map(({ label }) => label), ["a:1", "c:3"])
      }
    }))

  it.effect("clusterChecksum agrees everywhere, and tells who differs, of a namespace, a key or a member", () =>
    Effect.gen(function*() {
      const { a, c, cluster } = yield* three()
      const gather = Effect.fnUntraced(function*(options?: Parameters<typeof a.mccache.clusterChecksum>[0]) {
        const fiber = yield* Effect.forkChild(a.mccache.clusterChecksum(options))
        yield* cluster.advance(50)
        const { answers, missing } = yield* Fiber.join(fiber)
        assert.deepStrictEqual(missing, [])
        return answers.map(({ answer }) => answer)
      })
      const own = yield* a.mccache.localChecksum()
      assert.isDefined(own)
      assert.deepStrictEqual(yield* gather(), [own, own, own])
      const ofN = yield* a.mccache.localChecksum("n")
      assert.notStrictEqual(ofN, yield* a.mccache.localChecksum("m"))
      assert.deepStrictEqual(yield* gather({ name: "n" }), [ofN, ofN, ofN])
      const ofK = yield* a.mccache.localChecksum("n", "k")
      assert.deepStrictEqual(yield* gather({ name: "n", key: "k" }), [ofK, ofK, ofK])
      assert.deepStrictEqual(yield* gather({ name: "n", key: "k", node: "c:3" }), [ofK])
      assert.deepStrictEqual(yield* gather({ name: "n", key: "other" }), [undefined, undefined, undefined])
      assert.deepStrictEqual(yield* gather({ name: "other" }), [undefined, undefined, undefined])
      // Without a namespace a key is of `default`, which nobody opened.
      assert.deepStrictEqual(yield* gather({ key: "k" }), [undefined, undefined, undefined])
      cluster.hub.block("c", "a")
      cluster.hub.block("c", "b")
      yield* (yield* c.mccache.cache("n")).set("k", "other")
      assert.notStrictEqual(yield* c.mccache.localChecksum("n"), ofN)
      assert.strictEqual(yield* c.mccache.localChecksum("m"), yield* a.mccache.localChecksum("m"))
    }))

  it.effect("a checksum of what can be no key is InvalidKey", () =>
    Effect.gen(function*() {
      const { a } = yield* pair()
      yield* fails(a.mccache.localChecksum("n", ""), "InvalidKey")
      yield* fails(a.mccache.clusterChecksum({ name: "n", key: Number.NaN }), "InvalidKey")
    }))
})
