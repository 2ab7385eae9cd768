/** Strangers, eavesdroppers and replayers: section 9 of the design. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Sent } from "../../src/runtime/MemoryNetwork.ts"
import * as Cluster from "../../src/runtime/testing/Cluster.ts"

const key = Buffer.alloc(32, 1).toString("base64url")
const otherKey = Buffer.alloc(32, 2).toString("base64url")
const delay = { minMillis: 0.5, maxMillis: 2 }

const total = (counts: { readonly [reason: string]: number }): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)

describe("a stranger", () => {
  for (
    const [who, options, reason] of [
      ["with another key", { cryptoKey: otherKey }, "foreign"],
      ["without a key where others have one", { cryptoKey: undefined }, "unsealed"],
      ["of another cluster with the same key", { cryptoKey: key, cluster: "another" }, "foreign"]
    ] as const
  ) {
    it.effect(`${who} neither gives nor gets anything, and is counted`, () =>
      Effect.gen(function*() {
        const cluster = yield* Cluster.make({ seed: 41, faults: { delay } })
        const a = yield* cluster.join("a", { cryptoKey: key })
        const b = yield* cluster.join("b", { cryptoKey: key })
        const stranger = yield* cluster.join("stranger", options)
        const cacheOf = (node: Cluster.Node) => node.member.cache<string>("n")
        for (const node of [a, b, stranger]) cacheOf(node)
        yield* cluster.advance("2 seconds")
        cacheOf(a).set("ours", "a")
        cacheOf(stranger).set("theirs", "s")
        cacheOf(stranger).set("ours", "s")
        yield* cluster.advance("10 seconds")
        cacheOf(stranger).clear()
        yield* stranger.mccache.clear()
        yield* cluster.advance("10 seconds")
        assert.strictEqual(cacheOf(b).get("ours"), "a")
        assert.isFalse(cacheOf(b).has("theirs"))
        assert.isFalse(cacheOf(stranger).has("ours"))
        assert.lengthOf(a.member.members(), 2)
        assert.lengthOf(stranger.member.members(), 1)
        assert.isAbove(a.member.localMetrics().refused[reason], 0)
        assert.isAbove(total(stranger.member.localMetrics().refused), 0)
        assert.deepStrictEqual(Object.values(a.member.localMetrics().restarts), [0, 0, 0, 0, 0])
      }).pipe(Effect.scoped))
  }

  it.effect("of another cluster without any key is ignored", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ seed: 42, faults: { delay } })
      const a = yield* cluster.join("a")
      const stranger = yield* cluster.join("stranger", { cluster: "another" })
      a.member.cache<string>("n").set("ours", "a")
      stranger.member.cache<string>("n").set("theirs", "s")
      yield* cluster.advance("10 seconds")
      assert.isFalse(a.member.cache("n").has("theirs"))
      assert.isFalse(stranger.member.cache("n").has("ours"))
      assert.lengthOf(a.member.members(), 1)
      assert.isAbove(total(a.member.localMetrics().refused), 0)
    }).pipe(Effect.scoped))
})

/** Two members that write, delete and join, with everything that they sent. */
const session = Effect.fnUntraced(function*(cryptoKey: string | undefined) {
  const cluster = yield* Cluster.make({ seed: 43, options: { cryptoKey, cacheTtl: 0 }, faults: { delay } })
  const captured: Array<Sent> = []
  cluster.hub.tap((sent) => captured.push({ ...sent, payload: sent.payload.slice() }))
  const a = yield* cluster.join("a")
  const b = yield* cluster.join("b")
  const cache = a.member.cache<string>("secret-namespace")
  yield* cluster.advance("2 seconds")
  for (let index = 0; index < 100; index++) cache.set(`secret-key-${index}`, `secret-value-${index}`)
  yield* cluster.advance("2 seconds")
  const other = b.member.cache<string>("secret-namespace")
  for (let index = 0; index < 50; index++) other.delete(`secret-key-${index}`)
  yield* cluster.advance("5 seconds")
  other.set("secret-key-60", "changed")
  yield* cluster.advance("30 seconds")
  yield* b.mccache.clusterChecksum({ name: "secret-namespace" }).pipe(Effect.forkChild)
  yield* cluster.advance("2 seconds")
  return { cluster, captured }
})

const words = ["secret-namespace", "secret-key", "secret-value", "simulation"]
const inClear = (captured: ReadonlyArray<Sent>): ReadonlyArray<string> =>
  words.filter((word) => captured.some(({ payload }) => Buffer.from(payload).includes(word)))

describe("a capture of the traffic", () => {
  it.effect("contains no name, key or value in clear when there is a key", () =>
    Effect.gen(function*() {
      const { captured } = yield* session(key)
      assert.isAbove(captured.length, 50)
      assert.deepStrictEqual(inClear(captured), [])
    }).pipe(Effect.scoped))

  it.effect("contains them without a key: the search can find them", () =>
    Effect.gen(function*() {
      const { captured } = yield* session(undefined)
      assert.includeMembers([...inClear(captured)], ["secret-namespace", "secret-key", "secret-value"])
    }).pipe(Effect.scoped))
})

describe("a whole captured session, sent again", () => {
  const stateOf = (cluster: Cluster.Cluster) =>
    cluster.nodes().map(({ member }) => member.cache<string>("secret-namespace").checksum())

  const replay = Effect.fnUntraced(function*(cluster: Cluster.Cluster, captured: ReadonlyArray<Sent>) {
    // To everyone, whoever it was for, from where it came, and from elsewhere.
    for (const { from, payload } of captured) {
      for (const { name } of cluster.nodes()) {
        yield* cluster.hub.inject(name, payload, from)
        yield* cluster.hub.inject(name, payload, "elsewhere")
      }
    }
    yield* cluster.advance("5 seconds")
  })

  it.effect("changes nothing at the members that sent it", () =>
    Effect.gen(function*() {
      const { captured, cluster } = yield* session(key)
      const before = stateOf(cluster)
      const refused = cluster.node("a").member.localMetrics().refused.replayed
      yield* replay(cluster, [...captured])
      assert.deepStrictEqual(stateOf(cluster), before)
      assert.match(before[0] ?? "", /^50-/)
      assert.isAbove(cluster.node("a").member.localMetrics().refused.replayed, refused)
      assert.lengthOf(cluster.node("a").member.members(), 2)
    }).pipe(Effect.scoped))

  it.effect("changes nothing after all its members restarted", () =>
    Effect.gen(function*() {
      const { captured, cluster } = yield* session(key)
      const session1 = [...captured]
      yield* cluster.kill("a")
      yield* cluster.kill("b")
      yield* cluster.advance("60 seconds")
      const a = yield* cluster.join("a")
      const b = yield* cluster.join("b")
      for (const { member } of [a, b]) member.cache("secret-namespace")
      yield* cluster.advance("5 seconds")
      yield* replay(cluster, session1)
      for (const { member } of [a, b]) assert.strictEqual(member.cache("secret-namespace").size, 0)
      assert.lengthOf(a.member.members(), 2)
      // And they are none the worse for it.
      a.member.cache<string>("secret-namespace").set("new", "value")
      yield* cluster.advance("2 seconds")
      assert.strictEqual(b.member.cache("secret-namespace").get("new"), "value")
    }).pipe(Effect.scoped))
})

describe("several keys", () => {
  it.effect("rotate without a loss: added last everywhere, moved first, the old one dropped", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ seed: 44, options: { cacheTtl: 0 }, faults: { delay } })
      const steps = [key, `${key},${otherKey}`, `${otherKey},${key}`, otherKey]
      const names = ["a", "b", "c"]
      for (const name of names) (yield* cluster.join(name, { cryptoKey: steps[0] })).member.cache("n")
      yield* cluster.advance("2 seconds")
      let written = 0
      for (const cryptoKey of steps.slice(1)) {
        // One member after the other starts with the next list, while the others write.
        for (const name of names) {
          yield* cluster.leave(name)
          yield* cluster.advance("100 millis")
          const node = yield* cluster.join(name, { cryptoKey })
          node.member.cache<number>("n")
          yield* cluster.advance("3 seconds")
          node.member.cache<number>("n").set(`k${++written}`, written)
          yield* cluster.advance("1 second")
          for (const each of names) {
            const cache = cluster.node(each).member.cache("n")
            assert.strictEqual(cache.size, written, `${each} after ${name} started with ${cryptoKey}`)
          }
        }
      }
      for (const name of names) assert.strictEqual(cluster.node(name).member.localMetrics().refused.foreign, 0)
    }).pipe(Effect.scoped))
})
