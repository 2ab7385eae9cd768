/** From the knobs to what a stress test does, and what its monkeys do with it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Settings from "../../../src/runtime/Settings.ts"
import * as Monkey from "../../../src/runtime/stress/Monkey.ts"
import * as Plan from "../../../src/runtime/stress/Plan.ts"
import * as StressValue from "../../../src/runtime/stress/StressValue.ts"

const run = { pid: 4_711, namespaces: false }
const workload: Plan.Workload = {
  member: 1,
  members: 3,
  keys: 200,
  apertureMillis: 10,
  sizes: "both",
  seed: 7
}

const planOf = Effect.fnUntraced(function*(env: { readonly [variable: string]: string }) {
  const settings = yield* Settings.load({}, { env, cwd: "/" })
  return { plan: Plan.make(settings, run), warnings: settings.warnings }
})

describe("the plan", () => {
  it.effect("has McCache's defaults, a seed and a group of its own", () =>
    Effect.gen(function*() {
      const { plan, warnings } = yield* planOf({})
      assert.deepStrictEqual(warnings, [])
      assert.strictEqual(plan.members, 3)
      assert.strictEqual(plan.keys, 200)
      assert.strictEqual(plan.apertureMillis, 10)
      assert.strictEqual(plan.durationMillis, 300_000)
      assert.strictEqual(plan.sizes, "small")
      assert.strictEqual(plan.tantrumPercent, 0)
      assert.strictEqual(plan.seed, 4_711)
      assert.strictEqual(plan.opening.multicastIp, "224.0.0.3:24711")
      assert.strictEqual(plan.opening.cluster, "stress-4711")
    }))

  it.effect("follows every knob", () =>
    Effect.gen(function*() {
      const { plan } = yield* planOf({
        TEST_CLUSTER_SIZE: "9",
        TEST_KEY_ENTRIES: "1000",
        TEST_APERTURE: "0.0001",
        TEST_RUN_DURATION: "0.5",
        TEST_DATA_SIZE_MIX: "3",
        TEST_RANDOM_SEED: "17",
        TEST_MONKEY_TANTRUM: "10",
        MCCACHE_MULTICAST_IP: "224.0.0.9:5000"
      })
      assert.strictEqual(plan.members, 9)
      assert.strictEqual(plan.apertureMillis, 0.1)
      assert.strictEqual(plan.durationMillis, 30_000)
      assert.strictEqual(plan.sizes, "both")
      assert.strictEqual(plan.seed, 17)
      assert.strictEqual(plan.opening.testMonkeyTantrum, 10)
      assert.strictEqual(plan.opening.multicastIp, "224.0.0.9:5000")
    }))

  it.effect("makes room for all keys unless somebody set how much there is", () =>
    Effect.gen(function*() {
      const roomy = yield* planOf({ TEST_KEY_ENTRIES: "1000", TEST_DATA_SIZE_MIX: "2" })
      assert.strictEqual(roomy.plan.cacheMax, 1_000)
      assert.isAtLeast(roomy.plan.cacheSizeBytes, 1_000 * Plan.sizesBytes.large.maximum)
      const tight = yield* planOf({
        TEST_KEY_ENTRIES: "1000",
        MCCACHE_CACHE_MAX: "100",
        MCCACHE_CACHE_SIZE: "4096"
      })
      assert.strictEqual(tight.plan.opening.cacheMax, 100)
      assert.strictEqual(tight.plan.opening.cacheSize, 4_096)
    }))

  it.effect("reads the older spellings, and says which are meant now", () =>
    Effect.gen(function*() {
      const { plan, warnings } = yield* planOf({ TEST_MAX_ENTRIES: "50", TEST_TEST_APERTURE: "0.002" })
      assert.strictEqual(plan.keys, 50)
      assert.strictEqual(plan.apertureMillis, 2)
      assert.strictEqual(warnings.length, 2)
      assert.include(warnings[0], "TEST_KEY_ENTRIES")
      assert.include(warnings[1], "TEST_APERTURE")
    }))

  it("shares out half of the keys, and every key once", () => {
    for (const [keys, members] of [[200, 3], [200, 9], [1, 3], [17, 5], [6, 3]]) {
      const { ownOfEach, shared } = Plan.keysOf({ keys, members })
      assert.strictEqual(shared + ownOfEach * members, keys)
      assert.isAtLeast(shared, 1)
    }
    assert.deepStrictEqual(Plan.keysOf({ keys: 200, members: 5 }), { shared: 100, ownOfEach: 20 })
  })
})

describe("a monkey", () => {
  const take = (given: Plan.Workload, count = 4_000): ReadonlyArray<Monkey.Operation> => {
    const monkey = Monkey.make(given)
    return Array.from({ length: count }, () => monkey.next())
  }

  it("does the same from the same seed, and not what its neighbours do", () => {
    assert.deepStrictEqual(take(workload), take(workload))
    assert.notDeepEqual(take(workload, 20), take({ ...workload, seed: 8 }, 20))
    assert.notDeepEqual(take(workload, 20), take({ ...workload, member: 2 }, 20))
  })

  it("does McCache's mixture on shared and own keys, around the aperture", () => {
    const operations = take(workload)
    const share = (of: (operation: Monkey.Operation) => boolean): number =>
      operations.filter(of).length / operations.length
    assert.closeTo(share(({ kind }) => kind === "lookup"), 0.55, 0.03)
    assert.closeTo(share(({ kind }) => kind === "write"), 0.40, 0.03)
    assert.closeTo(share(({ own }) => own), 0.5, 0.03)
    for (const { bytes, key, kind, own, pauseMillis } of operations) {
      assert.match(key, own ? /^own-1-\d+$/ : /^shared-\d+$/)
      assert.isAtLeast(pauseMillis, 6.5)
      assert.isAtMost(pauseMillis, 13.5)
      if (kind !== "write") continue
      const size = Plan.sizesBytes[bytes <= 1_000 ? "small" : "large"]
      assert.isTrue(bytes >= size.minimum && bytes <= size.maximum, `${bytes} bytes`)
    }
    assert.closeTo(share(({ bytes }) => bytes > 1_000), 0.2, 0.03)
  })
})

describe("a value", () => {
  it("says which it is at every length", () => {
    for (const bytes of [20, 1_000, 9_000, Plan.sizesBytes.large.maximum]) {
      const value = StressValue.make("8.123456", bytes)
      assert.isAtLeast(value.length, bytes)
      assert.strictEqual(StressValue.tagOf(value), "8.123456")
    }
  })

  it("is nobody's when a letter of it is another", () => {
    const value = StressValue.make("1.2", 100)
    for (const at of [0, 2, 5, 8, 50, value.length - 1]) {
      const other = value[at] === "x" ? "y" : "x"
      assert.isUndefined(StressValue.tagOf(value.slice(0, at) + other + value.slice(at + 1)), `at ${at}`)
    }
    assert.isUndefined(StressValue.tagOf(value.slice(0, -1)))
    assert.isUndefined(StressValue.tagOf(`${value}x`))
    assert.isUndefined(StressValue.tagOf(42))
  })
})
