/** Values of more datagrams than anything else has. */
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
