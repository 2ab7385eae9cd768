/** McCache among the metrics of an Effect program: what its registry holds, while a member is open and after. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import { McCache } from "../../src/index.ts"
import * as MemoryNetwork from "../../src/runtime/MemoryNetwork.ts"
import * as Counters from "../../src/services/Counters.ts"
import { definitions } from "../../src/services/MetricTable.ts"
import { Network } from "../../src/services/Network.ts"

type Snapshot = Metric.Metric.Snapshot

/** An open member in a program with these attributes, how to see its metrics, and how to end it. */
const member = Effect.fnUntraced(function*(
  name: string,
  registry: Metric.MetricRegistry,
  attributes: Metric.Metric.AttributeSet = {}
) {
  const scope = yield* Scope.make()
  const hub = yield* MemoryNetwork.make({ seed: 1 })
  const layer = McCache.layerNetwork({ cluster: "metrics", protocol: { closeTimeoutMillis: 0 } }, { env: {} })
  const context = yield* Layer.buildWithScope(layer, scope).pipe(
    Effect.provideService(Network, hub.network(name)),
    Effect.provideService(Metric.MetricRegistry, registry),
    Effect.provideService(Metric.CurrentMetricAttributes, attributes)
  )
  return { mccache: Context.get(context, McCache), close: Scope.close(scope, Exit.void) }
})

const snapshot = (registry: Metric.MetricRegistry): ReadonlyArray<Snapshot> =>
  Metric.snapshotUnsafe(Context.make(Metric.MetricRegistry, registry))

/** The state of the only series of a name with these attributes. */
const state = (registry: Metric.MetricRegistry, name: string, having: Record<string, string> = {}) => {
  const found = snapshot(registry).filter(({ attributes, id }) =>
    id === name && Object.entries(having).every(([key, value]) => attributes?.[key] === value)
  )
  assert.lengthOf(found, 1, name)
  return found[0].state
}

describe("the registry of a program", () => {
  it.live("has every metric, each as it is when it is read", () =>
    Effect.gen(function*() {
      const registry: Metric.MetricRegistry = new Map()
      const { close, mccache } = yield* member("a", registry)
      const cache = yield* mccache.cache<number>("n")
      assert.deepStrictEqual(state(registry, "mccache_inserts_total", { namespace: "n" }), {
        count: 0,
        incremental: true
      })
      yield* cache.set("k", 1)
      yield* cache.get("k")
      // On one turn, and at once.
      assert.deepStrictEqual(state(registry, "mccache_inserts_total", { namespace: "n" }), {
        count: 1,
        incremental: true
      })
      assert.deepStrictEqual(state(registry, "mccache_entries", { namespace: "n" }), { value: 1 })
      const late = yield* mccache.cache<number>("late")
      yield* late.get("nothing")
      assert.deepStrictEqual(state(registry, "mccache_misses_total", { namespace: "late" }), {
        count: 1,
        incremental: true
      })
      assert.deepStrictEqual(
        [...new Set(snapshot(registry).map(({ id }) => id))].sort(),
        definitions.map(({ name }) => name).sort()
      )
      for (const { attributes, id } of snapshot(registry)) {
        const definition = definitions.find(({ name }) => name === id)
        assert.strictEqual(attributes?.cluster, "metrics")
        assert.strictEqual(attributes?.unit, definition?.unit)
        for (const name of Object.keys(attributes ?? {})) {
          assert.include(["cluster", "unit", ...definition?.attributes ?? []], name, id)
        }
      }
      yield* close
    }))

  it.live("keeps the counters of a member that ended, and forgets its gauges", () =>
    Effect.gen(function*() {
      const registry: Metric.MetricRegistry = new Map()
      const first = yield* member("a", registry)
      yield* (yield* first.mccache.cache<number>("n")).set("k", 1)
      const before = snapshot(registry)
      yield* first.close
      const kinds = new Set(snapshot(registry).map(({ type }) => type))
      assert.deepStrictEqual([...kinds].sort(), ["Counter", "Histogram"])
      assert.lengthOf(snapshot(registry), before.filter(({ type }) => type !== "Gauge").length)
      assert.deepStrictEqual(state(registry, "mccache_inserts_total", { namespace: "n" }), {
        count: 1,
        incremental: true
      })
      // The next one begins anew, under the same names.
      const second = yield* member("a", registry)
      yield* second.mccache.cache("n")
      assert.deepStrictEqual(state(registry, "mccache_inserts_total", { namespace: "n" }), {
        count: 0,
        incremental: true
      })
      assert.lengthOf(snapshot(registry), before.length)
      yield* second.close
    }))

  it.live("tells members apart by the attributes that the program gives them", () =>
    Effect.gen(function*() {
      const registry: Metric.MetricRegistry = new Map()
      const [one, two] = [yield* member("a", registry, { shard: "1" }), yield* member("b", registry, { shard: "2" })]
      yield* (yield* one.mccache.cache<number>("n")).set("k", 1)
      yield* two.mccache.cache<number>("n")
      const entries = (shard: string) => state(registry, "mccache_entries", { shard })
      assert.deepStrictEqual([entries("1"), entries("2")], [{ value: 1 }, { value: 0 }])
      // The text for Prometheus is of one member, and needs no such attribute.
      assert.include(yield* two.mccache.prometheus, "mccache_entries{cluster=\"metrics\",namespace=\"n\"} 0\n")
      yield* one.close
      assert.deepStrictEqual(entries("2"), { value: 0 })
      yield* two.close
    }))
})

describe("the histogram of propagation", () => {
  it("has each time in the buckets that end above it", () => {
    const histogram = new Counters.Histogram()
    const times = [-3, 0, 0.5, 1, 1, 7, 40, 250, 1_800, 100_000, 5_000_000]
    for (const millis of times) histogram.record(millis)
    const { buckets, count, max, min, sum } = histogram.state()
    assert.strictEqual(count, times.length)
    assert.deepStrictEqual([min, max], [0, 5_000])
    // What clock skew makes negative counts as 0.
    assert.closeTo(sum, times.reduce((total, millis) => total + Math.max(0, millis), 0) / 1_000, 1e-9)
    assert.deepStrictEqual(buckets.map(([seconds]) => seconds), [...Counters.Histogram.boundariesSeconds])
    for (const [seconds, upTo] of buckets) {
      // Buckets grow by a fifth, and their ends are rounded to three digits.
      const surely = times.filter((millis) => millis / 1_000 < seconds / 1.21).length
      const perhaps = times.filter((millis) => millis / 1_000 <= seconds * 1.01).length
      assert.isAtLeast(upTo, surely, `${seconds}`)
      assert.isAtMost(upTo, perhaps, `${seconds}`)
    }
  })

  it("is all 0 before the first", () => {
    const { buckets, ...rest } = new Counters.Histogram().state()
    assert.deepStrictEqual(rest, { count: 0, sum: 0, min: 0, max: 0 })
    assert.isTrue(buckets.every(([, upTo]) => upTo === 0))
  })
})
