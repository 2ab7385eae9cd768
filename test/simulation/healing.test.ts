/** What was removed while a member could not hear it is gone there too after healing, and stays gone. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Checkers from "../../src/runtime/testing/Checkers.ts"
import * as Cluster from "../../src/runtime/testing/Cluster.ts"

const start = Effect.fnUntraced(function*(seed: number) {
  const cluster = yield* Cluster.make({
    seed,
    options: { cacheTtl: 0, cacheMax: 1_000 },
    faults: { loss: 0.05, delay: { minMillis: 0.5, maxMillis: 3 } }
  })
  for (const name of ["a", "b", "c"]) yield* cluster.join(name)
  const cacheOf = (name: string) => cluster.node(name).member.cache<number>("n")
  for (const name of ["a", "b", "c"]) cacheOf(name)
  const observer = Checkers.observe(cluster, "n")
  yield* cluster.advance("1 second")
  for (let index = 0; index < 50; index++) cacheOf("a").set(`k${index}`, index)
  yield* cluster.advance("3 seconds")
  for (const name of ["a", "b", "c"]) assert.strictEqual(cacheOf(name).size, 50)
  /** Heals, and looks all along for a minute: what must hold holds at once on both sides, and at the end. */
  const heal = Effect.gen(function*() {
    cluster.heal()
    for (let second = 0; second < 60; second++) {
      yield* cluster.advance("1 second")
      Checkers.look(observer)
      if (second === 14) Checkers.convergence(observer)
    }
    Checkers.convergence(observer)
    Checkers.newest(observer)
  })
  return { cluster, cacheOf, observer, heal }
})

// Shorter than the time to removal, and longer: then the members meet as strangers.
for (const seconds of [8, 40]) {
  describe(`a member cut off for ${seconds} s`, () => {
    it.effect("learns of a delete", () =>
      Effect.gen(function*() {
        const { cacheOf, cluster, heal } = yield* start(21)
        cluster.partition([["a", "b"], ["c"]])
        cacheOf("a").delete("k1")
        yield* cluster.advance(`${seconds} seconds`)
        assert.isTrue(cacheOf("c").has("k1"), "it could not hear that")
        yield* heal
        for (const name of ["a", "b", "c"]) {
          assert.isFalse(cacheOf(name).has("k1"))
          assert.strictEqual(cacheOf(name).size, 49)
        }
      }).pipe(Effect.scoped))

    it.effect("learns of a clear, and keeps what it wrote after it", () =>
      Effect.gen(function*() {
        const { cacheOf, cluster, heal } = yield* start(22)
        cluster.partition([["a", "b"], ["c"]])
        yield* cluster.advance("100 millis")
        cacheOf("a").clear()
        yield* cluster.advance("100 millis")
        cacheOf("c").set("later", 1)
        yield* cluster.advance(`${seconds} seconds`)
        assert.strictEqual(cacheOf("c").size, 51)
        yield* heal
        for (const name of ["a", "b", "c"]) assert.deepStrictEqual([...cacheOf(name).keys()], ["later"])
      }).pipe(Effect.scoped))

    it.effect("drops what expired, and it does not come back", () =>
      Effect.gen(function*() {
        const { cacheOf, cluster, heal } = yield* start(23)
        cacheOf("a").set("short", 1, { ttl: 4 })
        yield* cluster.advance("1 second")
        assert.isTrue(cacheOf("c").has("short"))
        cluster.partition([["a", "b"], ["c"]])
        cacheOf("a").set("unheard", 2, { ttl: seconds / 2 })
        yield* cluster.advance(`${seconds} seconds`)
        for (const name of ["a", "b", "c"]) assert.isFalse(cacheOf(name).has("short"), name)
        yield* heal
        for (const name of ["a", "b", "c"]) {
          assert.isFalse(cacheOf(name).has("short"))
          assert.isFalse(cacheOf(name).has("unheard"))
        }
      }).pipe(Effect.scoped))

    it.effect("drops the value of a collision that it could not see", () =>
      Effect.gen(function*() {
        const { cacheOf, cluster, heal } = yield* start(24)
        cacheOf("a").set("both", 0)
        yield* cluster.advance("1 second")
        // a and b write at the same moment; c hears neither.
        cluster.partition([["a", "b"], ["c"]])
        cacheOf("a").set("both", 1)
        cacheOf("b").set("both", 2)
        yield* cluster.advance(`${seconds} seconds`)
        assert.isFalse(cacheOf("a").has("both"))
        assert.isFalse(cacheOf("b").has("both"))
        assert.strictEqual(cacheOf("c").peek("both"), 0)
        yield* heal
        for (const name of ["a", "b", "c"]) assert.isFalse(cacheOf(name).has("both"))
      }).pipe(Effect.scoped))

    it.effect("and both sides keep the newest of what they wrote apart", () =>
      Effect.gen(function*() {
        const { cacheOf, cluster, heal } = yield* start(25)
        cluster.partition([["a", "b"], ["c"]])
        cacheOf("a").set("k1", 100)
        cacheOf("c").set("k2", 200)
        yield* cluster.advance("2 seconds")
        cacheOf("c").set("k1", 101)
        cacheOf("a").set("k2", 201)
        cacheOf("a").delete("k3")
        cacheOf("c").delete("k4")
        yield* cluster.advance(`${seconds} seconds`)
        yield* heal
        for (const name of ["a", "b", "c"]) {
          assert.isFalse(cacheOf(name).has("k3"))
          assert.isFalse(cacheOf(name).has("k4"))
          assert.strictEqual(cacheOf(name).size, cacheOf("a").size)
        }
        assert.strictEqual(cacheOf("b").peek("k1"), 101)
        assert.strictEqual(cacheOf("b").peek("k2"), 201)
      }).pipe(Effect.scoped))
  })
}

for (const cacheMode of [0, 2] as const) {
  for (const seconds of [8, 40]) {
    describe(`in mode ${cacheMode}, a member cut off for ${seconds} s`, () => {
      it.effect("does not go on reading what was changed or deleted meanwhile", () =>
        Effect.gen(function*() {
          const cluster = yield* Cluster.make({
            seed: 27,
            options: { cacheTtl: 0, cacheMode },
            faults: { loss: 0.05, delay: { minMillis: 0.5, maxMillis: 3 } }
          })
          for (const name of ["a", "b", "c"]) (yield* cluster.join(name)).member.cache("n")
          const cacheOf = (name: string) => cluster.node(name).member.cache<number>("n")
          yield* cluster.advance("2 seconds")
          // Each holds the keys of its own; in mode 2 a set by one would take them from the others.
          for (const name of ["a", "b", "c"]) {
            for (const key of ["x", "y"]) cacheOf(name).beginFill(key).store(1)
            yield* cluster.advance("1 second")
          }
          yield* cluster.advance("2 seconds")
          assert.strictEqual(cacheOf("c").peek("x"), 1)
          cluster.partition([["a", "b"], ["c"]])
          cacheOf("a").set("x", 2)
          cacheOf("a").delete("y")
          yield* cluster.advance(`${seconds} seconds`)
          // In mode 2 it has dropped everything when it took the others for dead.
          if (seconds < 15) assert.strictEqual(cacheOf("c").peek("x"), 1, "it could not hear that")
          cluster.heal()
          yield* cluster.advance("10 seconds")
          assert.notStrictEqual(cacheOf("c").peek("x"), 1)
          assert.isFalse(cacheOf("c").has("y"))
        }).pipe(Effect.scoped))
    })
  }
}

describe("a member that was stopped", () => {
  it.effect("learns on waking what it missed", () =>
    Effect.gen(function*() {
      const { cacheOf, cluster, heal } = yield* start(26)
      cluster.pause("b")
      cacheOf("a").delete("k1")
      cacheOf("c").set("k2", 2_000)
      yield* cluster.advance("8 seconds")
      cluster.resume("b")
      yield* heal
      assert.isFalse(cacheOf("b").has("k1"))
      assert.strictEqual(cacheOf("b").peek("k2"), 2_000)
    }).pipe(Effect.scoped))
})

describe("a member whose clock jumps back", () => {
  it.effect("refuses what comes from its future, repairs it, and everyone is quiet again", () =>
    Effect.gen(function*() {
      for (let seed = 70; seed < 80; seed++) {
        const { cacheOf, cluster, observer } = yield* start(seed)
        // Of two, the one that is ahead gives way, when it hears of it.
        yield* cluster.leave("c")
        cluster.faults({ loss: 0.2, delay: { minMillis: 0.5, maxMillis: 30 } })
        cluster.node("b").skew(-700)
        // Some of these numbers are refused while numbers before them are still missing.
        for (let index = 0; index < 100; index++) {
          cacheOf("a").set(`k${index % 40}`, index)
          yield* cluster.advance(3)
        }
        cluster.faults({ delay: { minMillis: 0.5, maxMillis: 2 } })
        yield* cluster.advance("20 seconds")
        assert.isAbove(cluster.node("b").member.localMetrics().refused.clock, 0)
        Checkers.convergence(observer)
        for (const { lag, label } of cluster.node("a").member.members()) {
          assert.strictEqual(lag, 0, `${label} of ${seed}`)
        }
        const since = observer.datagrams
        yield* cluster.advance("10 seconds")
        Checkers.quiet(observer, since, 10)
      }
    }).pipe(Effect.scoped))
})

describe("a member in mode 0 whose clock jumps ahead, and that starts anew", () => {
  it.effect("leaves nobody with what it made old, though it does not hold any more what some refused", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({
        // Of this one it learns the clocks in an order in which it starts anew.
        seed: 6,
        options: { cacheTtl: 0, cacheMode: 0, protocol: { heartbeatMillis: 100 } },
        faults: { delay: { minMillis: 0.5, maxMillis: 3 } }
      })
      const skews = { jumps: 0, fast: 60, slow: -60, slower: -62 }
      for (const [name, skewMillis] of Object.entries(skews)) {
        ;(yield* cluster.join(name, { skewMillis })).member.cache("n")
      }
      const cacheOf = (name: string) => cluster.node(name).member.cache<number>("n")
      yield* cluster.advance("2 seconds")
      for (const name of ["fast", "slow", "slower"]) {
        cacheOf(name).set("k", 1)
        yield* cluster.advance("1 second")
      }
      // The fast one takes it, the slow ones refuse it, and its writer, which follows them, drops it.
      cluster.node("jumps").skew(550)
      let writes = 0
      do {
        cacheOf("jumps").set("k", 2)
        yield* cluster.advance(10)
      } while (cacheOf("jumps").has("k") && ++writes < 2_000)
      assert.isUndefined(cacheOf("jumps").peek("k"))
      yield* cluster.advance("5 seconds")
      assert.isAbove(cluster.node("slow").member.localMetrics().refused.clock, 0)
      assert.strictEqual(cacheOf("fast").peek("k"), 2)
      assert.strictEqual(cacheOf("slow").peek("k"), 2)
      assert.strictEqual(cacheOf("slower").peek("k"), 2)
    }).pipe(Effect.scoped))
})

describe("a newcomer whose clock is a minute slow", () => {
  it.effect("follows the one that was there, which loses nothing", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({
        options: { cacheTtl: 0 },
        faults: { delay: { minMillis: 1, maxMillis: 2 } }
      })
      const a = yield* cluster.join("a")
      const cache = a.member.cache<number>("n")
      for (let index = 0; index < 100; index++) cache.set(index, index)
      yield* cluster.advance("5 seconds")
      const b = yield* cluster.join("b", { skewMillis: -60_000 })
      const joined = b.member.cache<number>("n")
      yield* cluster.advance("20 seconds")
      assert.strictEqual(cache.size, 100)
      assert.strictEqual(joined.checksum(), cache.checksum())
      joined.set("from b", 1)
      yield* cluster.advance("2 seconds")
      assert.strictEqual(cache.peek("from b"), 1)
    }).pipe(Effect.scoped))
})

describe("a newcomer in mode 0, which starts empty", () => {
  it.effect("does not store what it computed before it met who had written something newer", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({
        options: { cacheTtl: 0, cacheMode: 0 },
        faults: { delay: { minMillis: 1, maxMillis: 2 } }
      })
      const a = yield* cluster.join("a", { skewMillis: 400 })
      a.member.cache<string>("n").set("k", "first")
      yield* cluster.advance("2 seconds")
      a.member.cache<string>("n").set("k", "newer")
      const b = yield* cluster.join("b")
      const cache = yield* b.mccache.cache<string>("n")
      const computing = yield* Effect.forkChild(
        cache.getOrSet("k", Effect.as(Effect.sleep("1 second"), "computed")),
        { startImmediately: true }
      )
      yield* cluster.advance("2 seconds")
      const exit = computing.pollUnsafe()
      assert.strictEqual(exit?._tag === "Success" ? exit.value : undefined, "computed")
      assert.strictEqual(a.member.cache<string>("n").peek("k"), "newer")
      assert.isUndefined(b.member.cache<string>("n").peek("k"))
    }).pipe(Effect.scoped))
})

describe("two members of different sizes", () => {
  it.effect("do not empty each other: the larger keeps what the smaller forgot", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({
        options: { cacheTtl: 0, cachePulse: 5 },
        faults: { delay: { minMillis: 1, maxMillis: 2 } }
      })
      const large = (yield* cluster.join("large", { cacheMax: 1_000 })).member.cache<number>("n")
      const small = (yield* cluster.join("small", { cacheMax: 10 })).member.cache<number>("n")
      yield* cluster.advance("2 seconds")
      for (let index = 0; index < 500; index++) large.set(index, index)
      yield* cluster.advance("2 seconds")
      const third = (yield* cluster.join("third", { cacheMax: 1_000 })).member.cache<number>("n")
      yield* cluster.advance("60 seconds")
      assert.deepStrictEqual([large.size, small.size, third.size], [500, 10, 500])
      large.delete(499)
      yield* cluster.advance("2 seconds")
      for (const cache of [large, small, third]) assert.isFalse(cache.has(499))
    }).pipe(Effect.scoped))

  it.effect("agree that a value too large for one of them replaced the one before", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({
        options: { cacheTtl: 0 },
        faults: { delay: { minMillis: 1, maxMillis: 2 } }
      })
      const large = (yield* cluster.join("large", { cacheSize: 1_000_000 })).member.cache<string>("n")
      const small = (yield* cluster.join("small", { cacheSize: 100_000 })).member.cache<string>("n")
      yield* cluster.advance("2 seconds")
      large.set("k", "old")
      yield* cluster.advance("1 second")
      assert.strictEqual(small.peek("k"), "old")
      large.set("k", "x".repeat(500_000))
      yield* cluster.advance("10 seconds")
      assert.isFalse(small.has("k"))
      assert.isTrue(large.has("k"))
    }).pipe(Effect.scoped))
})

describe("members that die while somebody still has to repair with them", () => {
  it.effect("are removed in time all the same", () =>
    Effect.gen(function*() {
      const others = ["b", "c", "d", "e", "f"]
      const cluster = yield* Cluster.make({
        seed: 81,
        // Little is kept for repeats, so that what "a" does not hear must be repaired.
        options: { cacheTtl: 0, cacheMax: 1_000, protocol: { retainBytesMax: 1_048_576 } },
        faults: { delay: { minMillis: 1, maxMillis: 2 } }
      })
      for (const name of ["a", ...others]) (yield* cluster.join(name)).member.cache("n")
      yield* cluster.advance("3 seconds")
      for (const name of others) cluster.hub.block(name, "a")
      for (let round = 0; round < 30; round++) {
        for (const name of others) cluster.node(name).member.cache("n").set(`${name}${round}`, "x".repeat(100_000))
        yield* cluster.advance(50)
      }
      cluster.heal()
      const a = cluster.node("a").member
      for (let step = 0; step < 3_000 && a.localMetrics().network.abandoned === 0; step++) yield* cluster.advance(1)
      assert.isAbove(a.localMetrics().network.abandoned, 0)
      for (const name of others) yield* cluster.kill(name)
      yield* cluster.advance("17 seconds")
      assert.deepStrictEqual(a.members().map(({ state }) => state), ["self"])
    }).pipe(Effect.scoped))
})

describe("a member that slept for a while", () => {
  it.effect("does not take old messages in its socket for slow clocks", () =>
    Effect.gen(function*() {
      const { cacheOf, cluster } = yield* start(82)
      const corrections: Array<number> = []
      yield* Effect.forkChild(Stream.runForEach(cluster.node("b").mccache.events, (event) =>
        Effect.sync(() => {
          if (event.type === "clock") corrections.push(event.correctionMillis)
        })))
      yield* cluster.advance("10 seconds")
      cluster.pause("b")
      for (let second = 0; second < 8; second++) {
        cacheOf("a").set("k1", second)
        cacheOf("c").set("k2", second)
        yield* cluster.advance("1 second")
      }
      cluster.resume("b")
      yield* cluster.advance("10 seconds")
      assert.deepStrictEqual(corrections, [])
    }).pipe(Effect.scoped))
})

describe("a member that dies when only some have heard its last words", () => {
  for (const cacheMode of [0, 1, 2] as const) {
    it.effect(`leaves nobody with what it made old, in mode ${cacheMode}`, () =>
      Effect.gen(function*() {
        const cluster = yield* Cluster.make({
          seed: 28,
          options: { cacheTtl: 0, cacheMode },
          faults: { delay: { minMillis: 0.5, maxMillis: 3 } }
        })
        for (const name of ["a", "b", "c"]) (yield* cluster.join(name)).member.cache("n")
        const cacheOf = (name: string) => cluster.node(name).member.cache<number>("n")
        yield* cluster.advance("2 seconds")
        for (const name of ["b", "c"]) {
          cacheOf(name).beginFill("x").store(1)
          yield* cluster.advance("1 second")
        }
        assert.strictEqual(cacheOf("c").peek("x"), 1)
        cluster.hub.block("a", "c")
        cacheOf("a").set("x", 2)
        yield* cluster.advance("100 millis")
        assert.notStrictEqual(cacheOf("b").peek("x"), 1)
        yield* cluster.kill("a")
        yield* cluster.advance("25 seconds")
        assert.notStrictEqual(cacheOf("c").peek("x"), 1)
      }).pipe(Effect.scoped))
  }
})
