/** Writes of one key in the same millisecond by two members: rule 3. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Checkers from "../../src/runtime/testing/Checkers.ts"
import * as Cluster from "../../src/runtime/testing/Cluster.ts"

const rounds = 10_000
const keys = 1_000

/** Two members write the same key in every millisecond, round after round; a third one only listens. */
const collide = Effect.fnUntraced(function*(cacheCollision: "tie" | "latest", seed: number) {
  const cluster = yield* Cluster.make({
    seed,
    options: { cacheTtl: 0, cacheMax: 5_000, cacheCollision },
    faults: { loss: 0.02, duplication: 0.02, delay: { minMillis: 0.5, maxMillis: 3 } }
  })
  const nodes = [yield* cluster.join("a"), yield* cluster.join("b"), yield* cluster.join("c")]
  const caches = nodes.map(({ member }) => member.cache<number>("n"))
  const observer = Checkers.observe(cluster, "n")
  yield* cluster.advance("1 second")
  for (let round = 0; round < rounds; round++) {
    const key = `k${round % keys}`
    caches[0].set(key, round)
    caches[1].set(key, -round)
    yield* cluster.advance(1)
    if (round % 500 === 0) Checkers.look(observer)
  }
  yield* cluster.advance("20 seconds")
  Checkers.look(observer)
  Checkers.convergence(observer)
  return { cluster, caches, nodes }
})

describe("10,000 pairs of writes of one key in one millisecond", () => {
  it.effect("tie: all agree, colliding values are gone, and every member counted collisions", () =>
    Effect.gen(function*() {
      const { caches, nodes } = yield* collide("tie", 31)
      for (const cache of caches) assert.strictEqual(cache.size, 0)
      for (const { member } of nodes) {
        const { coherence, namespaces } = member.localMetrics()
        // A loss can make one of a pair be known only through repair, where the tombstone comes in place of the pair.
        assert.isAbove(namespaces.n.collisions, rounds * 0.9)
        assert.isAtMost(namespaces.n.collisions, rounds * 2)
        assert.strictEqual(coherence.collisions, namespaces.n.collisions)
      }
      // The next writer wins.
      caches[1].set("k5", 1)
    }).pipe(Effect.scoped))

  it.effect("latest: all agree on one of the two values for every key", () =>
    Effect.gen(function*() {
      const { caches, nodes } = yield* collide("latest", 32)
      for (const cache of caches) {
        assert.strictEqual(cache.size, keys)
        for (const [key, value] of cache.entries()) {
          assert.strictEqual(Math.abs(value) % keys, Number(String(key).slice(1)))
          assert.isAtLeast(Math.abs(value), rounds - keys, "the last round won")
        }
      }
      for (const { member } of nodes) assert.isAbove(member.localMetrics().namespaces.n.collisions, 0)
    }).pipe(Effect.scoped))

  it.effect("a write after a collision was seen wins over it everywhere", () =>
    Effect.gen(function*() {
      const { caches, cluster } = yield* collide("tie", 33)
      caches[1].set("k5", 7)
      yield* cluster.advance("2 seconds")
      for (const cache of caches) assert.strictEqual(cache.peek("k5"), 7)
    }).pipe(Effect.scoped))
})
