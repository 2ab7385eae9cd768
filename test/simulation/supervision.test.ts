/** Any single fiber of a member may die, at any time: its supervisor starts it anew and nothing that others held is lost. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Checkers from "../../src/runtime/testing/Checkers.ts"
import * as Cluster from "../../src/runtime/testing/Cluster.ts"

const start = Effect.fnUntraced(function*(seed: number) {
  const cluster = yield* Cluster.make({
    seed,
    options: { cacheTtl: 0, cacheMax: 5_000 },
    faults: { loss: 0.02, delay: { minMillis: 0.5, maxMillis: 3 } }
  })
  for (const name of ["a", "b", "c"]) (yield* cluster.join(name)).member.cache("n")
  const observer = Checkers.observe(cluster, "n")
  yield* cluster.advance("2 seconds")
  return { cluster, observer }
})

describe("killing a fiber", () => {
  it.effect("has something to kill: every actor of a member, and of each namespace", () =>
    Effect.gen(function*() {
      const { cluster } = yield* start(51)
      const fibers = [...cluster.node("a").member.fibers().keys()]
      assert.sameMembers(fibers, ["multicaster", "listener", "pump", "housekeeper", "namespace \"n\""])
    }).pipe(Effect.scoped))

  it.effect("again and again under writes from everyone, each in turn, loses nothing that was written", () =>
    Effect.gen(function*() {
      const { cluster, observer } = yield* start(52)
      const written = new Map<string, number>()
      let count = 0
      for (const name of ["a", "b", "c"]) {
        for (const fiber of cluster.node(name).member.fibers().keys()) {
          for (let round = 0; round < 5; round++) {
            for (const writer of ["a", "b", "c"]) {
              // A key has one writer, so that no write collides.
              const key = `${writer}-${count % 300}`
              cluster.node(writer).member.cache<number>("n").set(key, ++count)
              written.set(key, count)
            }
            if (round === 2) yield* cluster.killFiber(name, fiber)
            yield* cluster.advance(7)
          }
          yield* cluster.advance("1 second")
          Checkers.look(observer)
        }
      }
      yield* cluster.advance("20 seconds")
      Checkers.look(observer)
      Checkers.convergence(observer)
      for (const { member } of cluster.nodes()) {
        const cache = member.cache<number>("n")
        assert.strictEqual(cache.size, written.size)
        for (const [key, value] of written) assert.strictEqual(cache.peek(key), value)
        for (const [fiber, restarts] of Object.entries(member.localMetrics().restarts)) {
          assert.isAtLeast(restarts, 1, `${fiber} was started anew`)
        }
      }
      yield* cluster.advance("5 seconds")
      const since = observer.datagrams
      yield* cluster.advance("10 seconds")
      Checkers.quiet(observer, since, 10)
    }).pipe(Effect.scoped))

  it.effect("does not make a flush succeed too early, nor fail for ever", () =>
    Effect.gen(function*() {
      const { cluster, observer } = yield* start(53)
      const a = cluster.node("a")
      const cache = a.member.cache<number>("n")
      for (const name of ["a", "b", "c"]) {
        for (const fiber of cluster.node(name).member.fibers().keys()) {
          const written = new Map<string, { readonly clock: number; readonly writer: string }>()
          for (let index = 0; index < 200; index++) {
            cache.set(`k${index}`, index)
            written.set(`k${index}`, cache.metadata(`k${index}`)?.stamp ?? assert.fail("just written"))
          }
          const flush = yield* Effect.forkChild(
            Effect.tap(a.mccache.flush({ timeout: "60 seconds" }), () =>
              Effect.sync(() => Checkers.flushed(observer, a, written)))
          )
          yield* cluster.advance(2)
          yield* cluster.killFiber(name, fiber)
          yield* cluster.advance("50 seconds")
          const exit = flush.pollUnsafe()
          assert.strictEqual(exit?._tag, "Success", `${fiber} of ${name}`)
        }
      }
    }).pipe(Effect.scoped))
})

describe("a fold that breaks", () => {
  it.effect("again and again leaves its namespace empty for a minute, which is no donor then, and is transferred anew", () =>
    Effect.gen(function*() {
      const { cluster } = yield* start(54)
      const [a, b] = [cluster.node("a").member, cluster.node("b").member]
      const held = b.namespaces().get("n") ?? assert.fail("it is open")
      a.cache<number>("n").set("before", 0)
      yield* cluster.advance("1 second")
      let breaks = 0
      const stop = cluster.witness({
        folded: (member, _, event) => {
          if (member !== b.id || event._tag !== "Put" || event.key !== `k${breaks}`) return
          breaks++
          throw new Error("a defect")
        }
      })
      for (let times = 0; times < 3; times++) {
        assert.isTrue(b.cache("n").has("before"))
        a.cache<number>("n").set(`k${times}`, times)
        yield* cluster.advance("10 seconds")
        assert.strictEqual(breaks, times + 1)
      }
      stop()
      assert.isFalse(held.caughtUp)
      assert.isFalse(b.cache("n").has("before"))
      yield* cluster.advance("40 seconds")
      assert.isFalse(held.caughtUp)
      yield* cluster.advance("12 seconds")
      assert.isTrue(held.caughtUp)
      assert.deepStrictEqual([...b.cache<number>("n").keys()].sort(), ["before", "k0", "k1", "k2"])
    }).pipe(Effect.scoped))
})
