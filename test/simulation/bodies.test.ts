/** How writes become bodies of datagrams: a value in very many of them, many writes in one. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Cluster } from "../../src/testing.ts"

describe("a value of 150,000 datagrams", () => {
  it.effect("is sent without harm to what else is to be said", () =>
    Effect.gen(function*() {
      const bytes = 72_000_000
      const cluster = yield* Cluster.make({
        options: { packetMtu: 508, cacheSize: 4 * bytes, cacheTtl: 0 },
        faults: { delay: { minMillis: 0.1, maxMillis: 0.1 } }
      })
      const a = yield* cluster.join("a")
      const b = yield* cluster.join("b")
      const left = a.member.cache<Uint8Array | number>("n")
      const right = b.member.cache<Uint8Array | number>("n")
      yield* cluster.advance("2 seconds")
      left.set("small before", 1)
      left.set("large", new Uint8Array(bytes).fill(7))
      left.set("small after", 2)
      yield* cluster.advance("5 seconds")
      assert.strictEqual(right.get("small before"), 1)
      assert.deepStrictEqual([a, b].map(({ member }) => member.members().length), [2, 2])
      assert.deepStrictEqual(Object.values(a.member.localMetrics().restarts).filter((count) => count > 0), [])
      for (let wait = 0; wait < 20 && right.peek("large") === undefined; wait++) yield* cluster.advance("10 seconds")
      const large = right.peek("large")
      assert.instanceOf(large, Uint8Array)
      assert.strictEqual(right.get("small after"), 2)
    }).pipe(Effect.scoped))
})

describe("writes of all sizes", () => {
  it.effect("arrive as they were sent: each body can be read without another, and nothing has to be repaired", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ options: { packetMtu: 508, cacheTtl: 0 } })
      const a = yield* cluster.join("a")
      const b = yield* cluster.join("b")
      const left = ["first", "second"].map((name) => a.member.cache<string>(name))
      const right = ["first", "second"].map((name) => b.member.cache<string>(name))
      yield* cluster.advance("2 seconds")
      for (let round = 0; round < 60; round++) {
        // Of some rounds a datagram has room for all, in others a value needs several.
        for (let write = 0; write < 1 + round % 7; write++) {
          left[(round + write) % 2].set(`key ${write}`, "v".repeat(round * write * 3), { ttl: round % 3 })
        }
        if (round % 5 === 0) left[1].delete("key 0")
        yield* cluster.advance(round % 4 === 0 ? "100 millis" : "1 millis")
      }
      yield* cluster.advance("1 second")
      const { coherence, network, refused } = b.member.localMetrics()
      assert.strictEqual(refused.malformed, 0)
      assert.strictEqual(network.abandoned + coherence.repairedRecords, 0)
      for (const [index, cache] of left.entries()) {
        assert.deepStrictEqual([...right[index].entries()].sort(), [...cache.entries()].sort())
      }
    }).pipe(Effect.scoped))

  it.effect("are kept for repeats until everybody has settled them, and no longer", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ options: { packetMtu: 1_472 } })
      const a = yield* cluster.join("a")
      const b = yield* cluster.join("b")
      const left = a.member.cache<string>("n")
      b.member.cache<string>("n")
      yield* cluster.advance("30 seconds")
      let most = 0
      for (let round = 0; round < 40; round++) {
        for (let write = 0; write < 10; write++) left.set(`key ${write}`, `${round}`.padEnd(1_000))
        yield* cluster.advance("20 millis")
        const { retainedBytes } = a.member.localMetrics().network
        most = Math.max(most, retainedBytes)
      }
      // Acknowledgements are of several datagrams, or of a moment.
      assert.isAtMost(most, 60_000)
      yield* cluster.advance("100 millis")
      assert.strictEqual(a.member.localMetrics().network.retainedBytes, 0)
      cluster.partition([["a"], ["b"]])
      left.set("key", "v".repeat(1_000))
      yield* cluster.advance("2 seconds")
      assert.isAbove(a.member.localMetrics().network.retainedBytes, 1_000)
    }).pipe(Effect.scoped))
})
