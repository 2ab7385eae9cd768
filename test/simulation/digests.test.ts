/** What no gap tells of: members that differ although nothing of their streams is missing. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Replica from "../../src/domain/Replica.ts"
import * as Cluster from "../../src/runtime/testing/Cluster.ts"

const namespaceOf = (node: Cluster.Node) => {
  const namespace = node.member.namespaces().get("n")
  if (namespace === undefined) throw new Error("not open")
  return namespace
}

const repairsOf = (node: Cluster.Node): number => node.member.localMetrics().coherence.repairRounds

describe("two members whose records differ", () => {
  it.effect("find that on each other's heartbeats, and repair it", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ options: { cacheTtl: 0 } })
      const [a, b] = [yield* cluster.join("a"), yield* cluster.join("b")]
      const caches = [a, b].map(({ member }) => member.cache<number>("n"))
      caches[0].set("k", 1)
      yield* cluster.advance("3 seconds")
      const { replica } = namespaceOf(b)
      const copy = Replica.record(replica, "k")
      assert.strictEqual(copy?.kind, "entry")
      if (copy?.kind !== "entry") return
      // As if it had come and its datagram had been forgotten at the other.
      Replica.apply(replica, {
        _tag: "Put",
        key: "only here",
        clock: Replica.stamp(replica, copy.updatedAt + 2_000),
        writer: b.member.id,
        expiresAt: 0,
        crc: copy.crc,
        value: copy.value,
        origin: "local"
      }, copy.updatedAt + 2_000)
      assert.isFalse(caches[0].has("only here"))
      yield* cluster.advance("8 seconds")
      assert.strictEqual(caches[0].get("only here"), 1)
      assert.strictEqual(repairsOf(a), 1)
      yield* cluster.advance("10 seconds")
      assert.deepStrictEqual([a, b].map(repairsOf), [1, 1])
    }).pipe(Effect.scoped))
})

describe("two members whose records are the same", () => {
  it.effect("compare only what is as of the same moment, and repair nothing, wherever their heartbeats fall", () =>
    Effect.gen(function*() {
      for (let phase = 0; phase < 2_000; phase += 100) {
        // Tombstones end all the time, and heartbeats always fall into the same part of a quantum.
        const cluster = yield* Cluster.make({
          seed: phase,
          options: {
            cacheTtl: 0,
            protocol: {
              heartbeatMillis: 2_000,
              suspectMillis: 10_000,
              removeMillis: 30_000,
              tombstoneHorizonMillis: 12_000
            }
          }
        })
        yield* cluster.advance(phase)
        const a = yield* cluster.join("a")
        const b = yield* cluster.join("b", { skewMillis: 110 })
        const [left] = [a, b].map(({ member }) => member.cache<number>("n"))
        yield* cluster.advance("5 seconds")
        for (let round = 0; round < 80; round++) {
          left.set(`k${round}`, round)
          left.delete(`k${round}`)
          yield* cluster.advance(100)
        }
        yield* cluster.advance("20 seconds")
        assert.deepStrictEqual([a, b].map(repairsOf), [0, 0], `phase ${phase}`)
      }
    }).pipe(Effect.scoped))
})
