/** `flush` and `ack` succeed only when what they say is so: invariant 9. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { McCacheError } from "../../src/domain/McCacheError.ts"
import type { Stamp } from "../../src/domain/Stamp.ts"
import * as NetworkFaults from "../../src/runtime/NetworkFaults.ts"
import * as Checkers from "../../src/runtime/testing/Checkers.ts"
import * as Cluster from "../../src/runtime/testing/Cluster.ts"

const start = Effect.fnUntraced(function*(seed: number, loss: number, names: ReadonlyArray<string> = ["a", "b", "c"]) {
  const cluster = yield* Cluster.make({
    seed,
    options: { cacheTtl: 0, cacheMax: 5_000 },
    faults: { loss, delay: { minMillis: 0.5, maxMillis: 4 } }
  })
  for (const name of names) (yield* cluster.join(name)).member.cache("n")
  const observer = Checkers.observe(cluster, "n")
  yield* cluster.advance("5 seconds")
  return { cluster, observer, cacheOf: (name: string) => cluster.node(name).member.cache<number>("n") }
})

/** The tag of the error that a fiber failed with, or `undefined` while it runs or when it succeeded. */
const failedWith = <A>(fiber: Fiber.Fiber<A, McCacheError>): string | undefined => {
  const exit = fiber.pollUnsafe()
  if (exit?._tag !== "Failure") return undefined
  const reason = exit.cause.reasons.find(({ _tag }) => _tag === "Fail")
  return reason?._tag === "Fail" ? reason.error.reason._tag : "died"
}

describe("an acknowledgement of a write by a clock that is too far ahead", () => {
  it.effect("comes when what is written there is newer, also while such writes go on", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({
        options: { cacheTtl: 0, cacheMode: 2, protocol: { heartbeatMillis: 250, abandonMillis: 2_500 } },
        faults: { delay: { minMillis: 0.5, maxMillis: 3 } }
      })
      const a = (yield* cluster.join("a", { skewMillis: 116 })).member.cache<number>("n")
      yield* cluster.advance("1 second")
      const b = yield* cluster.join("b", { skewMillis: -188 })
      const writing = yield* b.mccache.cache<number>("n")
      const held = b.member.cache<number>("n")
      yield* cluster.advance("1 second")
      // It was corrected by 304 ms, and will not be again for some seconds.
      b.skew(1_089)
      let acknowledged = 0
      const older: Array<number> = []
      for (let round = 0; round < 60; round++) {
        let written = Infinity
        const acknowledge = Effect.sync(() => {
          acknowledged++
          a.set("k", -1)
          if ((a.metadata("k")?.stamp.clock ?? 0) <= written) older.push(round)
        })
        const write = writing.set("k", round, { ack: "all", timeout: 30 })
        yield* Effect.forkChild(Effect.andThen(write, acknowledge), { startImmediately: true })
        written = held.metadata("k")?.stamp.clock ?? Infinity
        yield* cluster.advance(50)
      }
      yield* cluster.advance("10 seconds")
      assert.strictEqual(acknowledged, 60)
      assert.deepStrictEqual(older, [])
    }).pipe(Effect.scoped))
})

describe("flush", () => {
  it.effect("succeeds also where the first acknowledgements were lost and nothing is sent any more", () =>
    Effect.gen(function*() {
      for (let seed = 1; seed <= 20; seed++) {
        const cluster = yield* Cluster.make({ seed, faults: { loss: 0.3, delay: { minMillis: 0.5, maxMillis: 1 } } })
        for (const name of ["a", "b", "c", "d"]) {
          const { member } = yield* cluster.join(name)
          member.cache("n").set(name, 1)
          yield* cluster.advance(250)
        }
        yield* cluster.advance("2 seconds")
        cluster.faults({})
        yield* cluster.advance("2 seconds")
        for (const { mccache, name } of cluster.nodes()) {
          const fiber = yield* Effect.forkChild(mccache.flush({ timeout: 60 }))
          yield* cluster.advance("3 seconds")
          assert.strictEqual(fiber.pollUnsafe()?._tag, "Success", `${name}, seed ${seed}`)
        }
      }
    }))

  it.effect("never succeeds before a newcomer, whose donor did not know it, has folded what was written", () =>
    Effect.gen(function*() {
      const read: Array<boolean> = []
      for (let seed = 1; seed <= 8; seed++) {
        const { cacheOf, cluster } = yield* start(seed, 0, ["writer", "donor"])
        cluster.partition([["writer"], ["donor"]])
        yield* cluster.advance("20 seconds")
        cacheOf("writer").set("k", seed)
        yield* cluster.advance("1 second")
        // From now on they meet the newcomer, but not each other.
        cluster.heal()
        cluster.hub.block("writer", "donor")
        cluster.hub.block("donor", "writer")
        const newcomer = (yield* cluster.join("newcomer")).member.cache<number>("n")
        for (let millis = 0; millis < 3_000; millis += 50) {
          yield* cluster.advance(50)
          yield* Effect.forkChild(
            Effect.tap(
              cluster.node("writer").mccache.flush({ timeout: "30 seconds" }),
              ({ members }) =>
                Effect.sync(() => {
                  if (members === 1) read.push(newcomer.get("k") === seed)
                })
            ),
            { startImmediately: true }
          )
        }
      }
      assert.isAbove(read.length, 8)
      assert.notInclude(read, false)
    }))

  for (const again of [false, true]) {
    it.effect(`a namespace ${again ? "started anew" : "opened late"} has caught up only with what passed by and its donor lacked`, () =>
      Effect.gen(function*() {
        for (let seed = 1; seed <= 8; seed++) {
          const { cacheOf, cluster } = yield* start(seed, 0, ["writer", "donor"])
          cluster.partition([["writer"], ["donor"]])
          yield* cluster.advance("20 seconds")
          cacheOf("writer").set("k", seed)
          yield* cluster.advance("1 second")
          cluster.heal()
          cluster.hub.block("writer", "donor")
          cluster.hub.block("donor", "writer")
          const { mccache, member } = yield* cluster.join("newcomer")
          yield* cluster.advance("5 seconds")
          const cache = member.cache<number>("n")
          const caughtUp = () => member.namespaces().get("n")?.caughtUp === true
          if (again) {
            while (!caughtUp()) yield* cluster.advance(10)
            yield* Effect.forkChild(Effect.ignore(mccache.clear({ name: "n", node: member.id })), {
              startImmediately: true
            })
          }
          for (let turns = 0; !caughtUp(); turns++) {
            assert.isBelow(turns, 1_000)
            yield* cluster.advance(5)
          }
          assert.strictEqual(cache.get("k"), seed, `seed ${seed}`)
        }
      }))
  }

  it.effect("a namespace started anew before anybody can give it has caught up only with what those wrote that join, too", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ faults: { delay: { minMillis: 1, maxMillis: 2 } } })
      const nodes = [yield* cluster.join("a"), yield* cluster.join("b")]
      for (const { member } of nodes) member.cache("n")
      // Of members that start together the one with the lowest id is ready first.
      const [lowest, other] = nodes.sort((one, two) => one.member.id < two.member.id ? -1 : 1)
      yield* cluster.advance(50)
      other.member.cache<number>("n").set("k", 1)
      yield* cluster.advance(50)
      assert.strictEqual(lowest.member.cache<number>("n").get("k"), 1)
      yield* Effect.forkChild(Effect.ignore(lowest.mccache.clear({ name: "n", node: lowest.member.id })), {
        startImmediately: true
      })
      yield* cluster.advance(10)
      assert.isFalse(lowest.member.cache("n").has("k"))
      const flush = yield* Effect.forkChild(other.mccache.flush({ timeout: 30 }))
      for (let turns = 0; flush.pollUnsafe() === undefined; turns++) {
        assert.isBelow(turns, 1_000)
        yield* cluster.advance(5)
      }
      assert.strictEqual(flush.pollUnsafe()?._tag, "Success")
      assert.strictEqual(lowest.member.cache<number>("n").get("k"), 1)
    }))

  it.effect("succeeds when a clock that jumped is corrected, and time by it has come to where it was", () =>
    Effect.gen(function*() {
      const { cluster, observer } = yield* start(72, 0, ["a", "b"])
      // Of two the elder's clock counts, which is here that of the lower id.
      const [elder, younger] = cluster.nodes().toSorted((one, two) => one.member.id < two.member.id ? -1 : 1)
      younger.skew(4_900)
      const cache = younger.member.cache<number>("n")
      cache.set("k", 1, { ttl: 0.05 })
      const written = new Map([["k", cache.metadata("k")?.stamp ?? assert.fail("just written")]])
      let flushed = false
      yield* Effect.forkChild(
        Effect.tap(younger.mccache.flush({ timeout: 30 }), () =>
          Effect.sync(() => {
            Checkers.flushed(observer, younger, written)
            flushed = true
          }))
      )
      yield* cluster.advance("8 seconds")
      assert.isFalse(flushed, "it is refused still")
      assert.isAbove(elder.member.localMetrics().refused.clock, 0)
      yield* cluster.advance("9 seconds")
      assert.isTrue(flushed)
    }))

  for (const way of ["flush", "ack", "clear"] as const) {
    it.effect(`fails when this member starts anew before it knows the others: ${way}`, () =>
      Effect.gen(function*() {
        const { cluster } = yield* start(73, 0, ["a", "b"])
        // Its clock is corrected as soon as it meets the others, and what it wrote by it goes.
        const { mccache, member } = yield* cluster.join("late", { skewMillis: 10_000 })
        if (way === "clear") yield* mccache.clear()
        else member.cache<number>("n").set("k", 1)
        const waiting = yield* Effect.forkChild(
          way === "ack" ? member.acknowledged("all") : Effect.asVoid(mccache.flush())
        )
        yield* cluster.advance("6 seconds")
        assert.strictEqual(failedWith(waiting), "AckTimeout")
        assert.isFalse(member.cache("n").has("k"))
      }))
  }

  it.effect("fails when what was sent under a clock that jumped was refused, and this member starts anew", () =>
    Effect.gen(function*() {
      const { cluster } = yield* start(74, 0, ["a", "b"])
      const younger = cluster.nodes().reduce((one, two) => one.member.id > two.member.id ? one : two)
      younger.skew(20_000)
      const cache = younger.member.cache<number>("n")
      cache.set("k", 1)
      const waiting = yield* Effect.forkChild(younger.mccache.flush({ timeout: 60 }))
      yield* cluster.advance("30 seconds")
      assert.isFalse(cache.has("k"))
      assert.strictEqual(failedWith(waiting), "AckTimeout")
    }))

  it.effect("takes no longer than its timeout, also where it must first learn who is there", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ seed: 75, options: { protocol: { joinWaitMillis: 1_000 } } })
      const { mccache, member } = yield* cluster.join("a")
      member.cache<number>("n").set("k", 1)
      const waiting = [
        yield* Effect.forkChild(member.acknowledged(1, { timeout: 0.1 })),
        yield* Effect.forkChild(mccache.flush({ timeout: 0.1 }))
      ]
      yield* cluster.advance(99)
      for (const fiber of waiting) assert.isUndefined(fiber.pollUnsafe())
      yield* cluster.advance(1)
      for (const fiber of waiting) assert.strictEqual(failedWith<unknown>(fiber), "AckTimeout")
    }))

  it.effect("members that start a namespace anew at the same moment do not wait for each other", () =>
    Effect.gen(function*() {
      const { cacheOf, cluster } = yield* start(71, 0)
      for (const name of ["a", "b", "c"]) cacheOf(name).set(name, 1)
      yield* cluster.advance("1 second")
      for (const { mccache, member } of cluster.nodes()) {
        yield* Effect.forkChild(Effect.ignore(mccache.clear({ name: "n", node: member.id })), {
          startImmediately: true
        })
      }
      yield* cluster.advance("1 second")
      for (const { member } of cluster.nodes()) {
        assert.strictEqual(member.cache("n").size, 0)
        assert.isTrue(member.namespaces().get("n")?.caughtUp)
      }
    }))

  for (const loss of [0, 0.3]) {
    it.effect(`never succeeds before everyone has folded what was written, at ${loss * 100} % loss`, () =>
      Effect.gen(function*() {
        const { cacheOf, cluster, observer } = yield* start(61, loss)
        const random = NetworkFaults.mulberry32(61)
        let flushes = 0
        for (let round = 0; round < 60; round++) {
          const name = ["a", "b", "c"][round % 3]
          const writer = cluster.node(name)
          const written = new Map<string, Stamp>()
          for (let count = Math.floor(random() * 40); count >= 0; count--) {
            const key = `${name}${Math.floor(random() * 100)}`
            cacheOf(name).set(key, round)
            written.set(key, cacheOf(name).metadata(key)?.stamp ?? assert.fail("just written"))
          }
          yield* Effect.forkChild(
            Effect.tap(writer.mccache.flush({ timeout: "30 seconds" }), ({ members }) =>
              Effect.sync(() => {
                // Checked at the very moment, not when time has passed on.
                Checkers.flushed(observer, writer, written)
                assert.strictEqual(members, 2)
                flushes++
              })),
            { startImmediately: true }
          )
          yield* cluster.advance(Math.floor(random() * 50))
        }
        yield* cluster.advance("30 seconds")
        assert.strictEqual(flushes, 60)
      }).pipe(Effect.scoped))
  }

  it.effect("waits for a member that is cut off, names it when the time is up, and succeeds when it is back", () =>
    Effect.gen(function*() {
      const { cacheOf, cluster } = yield* start(62, 0)
      cluster.partition([["a", "b"], ["c"]])
      cacheOf("a").set("x", 1)
      const early = yield* Effect.forkChild(cluster.node("a").mccache.flush({ timeout: "2 seconds" }))
      const patient = yield* Effect.forkChild(cluster.node("a").mccache.flush({ timeout: "14 seconds" }))
      yield* cluster.advance("1900 millis")
      assert.isUndefined(early.pollUnsafe())
      yield* cluster.advance("200 millis")
      assert.strictEqual(failedWith(early), "AckTimeout")
      yield* cluster.advance("2 seconds")
      assert.isUndefined(patient.pollUnsafe())
      cluster.heal()
      yield* cluster.advance("8 seconds")
      assert.strictEqual(patient.pollUnsafe()?._tag, "Success")
      assert.strictEqual(cacheOf("c").peek("x"), 1)
    }).pipe(Effect.scoped))

  for (const name of [undefined, "n", "elsewhere"]) {
    it.effect(`covers a clear of ${name === undefined ? "everything" : `namespace ${name}`}`, () =>
      Effect.gen(function*() {
        const { cluster } = yield* start(67, 0.2)
        const [a, b] = ["a", "b"].map((each) => cluster.node(each))
        // "elsewhere" is not open at the member that clears it.
        for (const each of ["n", "elsewhere"]) b.member.cache<number>(each).set("x", 1)
        yield* cluster.advance("5 seconds")
        for (let round = 0; round < 20; round++) {
          yield* a.mccache.clear({ name })
          let sizes: ReadonlyArray<number> = []
          const flush = yield* Effect.forkChild(
            Effect.tap(a.mccache.flush({ timeout: "20 seconds" }), () =>
              Effect.sync(() => {
                sizes = ["n", "elsewhere"].map((each) => b.member.cache(each).size)
              }))
          )
          yield* cluster.advance("15 seconds")
          assert.strictEqual(flush.pollUnsafe()?._tag, "Success")
          const kept = (each: string) => name !== undefined && name !== each
          assert.deepStrictEqual(sizes, [kept("n") ? 1 : 0, kept("elsewhere") ? 1 : 0])
          for (const each of ["n", "elsewhere"]) b.member.cache<number>(each).set("x", 1)
          yield* cluster.advance("5 seconds")
        }
        assert.sameMembers([...a.member.namespaces().keys()], ["n"])
      }).pipe(Effect.scoped))
  }

  it.effect("does not pass an update that was evicted before it was sent: what it made old goes", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({
        options: { cacheTtl: 0, cacheSize: 1_000_000 },
        faults: { delay: { minMillis: 1, maxMillis: 2 } }
      })
      const [a, b] = [yield* cluster.join("a"), yield* cluster.join("b")]
      const [cache, other] = [a, b].map(({ member }) => member.cache<string>("n"))
      yield* cluster.advance("2 seconds")
      cache.set("k", "old")
      yield* cluster.advance("1 second")
      assert.strictEqual(other.peek("k"), "old")
      // In one turn: the second leaves no room for the first.
      cache.set("k", "x".repeat(600_000))
      cache.set("x", "x".repeat(500_000))
      assert.isFalse(cache.has("k"))
      let seen: string | undefined = "not flushed"
      yield* Effect.forkChild(Effect.tap(a.mccache.flush(), () =>
        Effect.sync(() => {
          seen = other.peek("k")
        })))
      yield* cluster.advance("3 seconds")
      assert.isUndefined(seen)
    }).pipe(Effect.scoped))

  it.effect("does not pass a write that was evicted before it was sent, though nobody told what it made old", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({
        options: { cacheTtl: 0, cacheMax: 2, protocol: { suspectMillis: 5_000 } },
        faults: { delay: { minMillis: 1, maxMillis: 2 } }
      })
      const [a, b] = [yield* cluster.join("a"), yield* cluster.join("b")]
      const [cache, other] = [a, b].map(({ member }) => member.cache<string>("n"))
      yield* cluster.advance("2 seconds")
      cluster.hub.block("b", "a")
      other.set("k", "older")
      yield* cluster.advance(10)
      for (const key of ["k", "x", "y"]) cache.set(key, "newer")
      assert.isFalse(cache.has("k"))
      // Else they would take its place there, too.
      for (const key of ["x", "y"]) cache.delete(key)
      cluster.heal()
      let seen: string | undefined = "not flushed"
      yield* Effect.forkChild(Effect.tap(a.mccache.flush(), () =>
        Effect.sync(() => {
          seen = other.peek("k")
        })))
      yield* cluster.advance("3 seconds")
      assert.isUndefined(seen)
    }).pipe(Effect.scoped))

  it.effect("does not pass what was computed and went at once, as all else was newer: what it made old goes", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({
        options: { cacheTtl: 0, cacheMax: 2, protocol: { suspectMillis: 5_000 } },
        faults: { delay: { minMillis: 1, maxMillis: 2 } }
      })
      const [a, b] = [yield* cluster.join("a"), yield* cluster.join("b")]
      const [cache, other] = [a, b].map(({ member }) => member.cache<string>("n"))
      yield* cluster.advance("2 seconds")
      cluster.hub.block("b", "a")
      other.set("k", "older")
      yield* cluster.advance(10)
      const fill = cache.beginFill("k")
      for (const key of ["x", "y"]) cache.set(key, "newest")
      fill.store("newer")
      fill.end()
      assert.isFalse(cache.has("k"))
      // Else they would take its place there, too.
      for (const key of ["x", "y"]) cache.delete(key)
      cluster.heal()
      let seen: string | undefined = "not flushed"
      yield* Effect.forkChild(Effect.tap(a.mccache.flush(), () =>
        Effect.sync(() => {
          seen = other.peek("k")
        })))
      yield* cluster.advance("3 seconds")
      assert.isUndefined(seen)
    }).pipe(Effect.scoped))

  it.effect("does not pass a write that another's clear removed before it was sent: the clear is told, too", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({
        options: { cacheTtl: 0 },
        faults: { delay: { minMillis: 1, maxMillis: 2 } }
      })
      const [a, b] = [yield* cluster.join("a"), yield* cluster.join("b")]
      const [cache, other] = [a, b].map(({ member }) => member.cache<string>("n"))
      yield* cluster.advance("2 seconds")
      other.set("k", "older")
      yield* cluster.advance("1 second")
      // In one turn: a heartbeat tells of a clear that nobody else has heard of.
      cache.set("k", "newer")
      a.member.namespaces().get("n")?.clearWith((cache.metadata("k")?.stamp.clock ?? 0) + 1)
      assert.isFalse(cache.has("k"))
      let seen: string | undefined = "not flushed"
      yield* Effect.forkChild(Effect.tap(a.mccache.flush(), () =>
        Effect.sync(() => {
          seen = other.peek("k")
        })))
      yield* cluster.advance("1 second")
      assert.isUndefined(seen)
    }).pipe(Effect.scoped))

  it.effect("does not pass what an overflow of the outbox dropped: what it made old goes", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({
        options: { cacheTtl: 0, protocol: { tombstonesMax: 4 } },
        faults: { delay: { minMillis: 1, maxMillis: 2 } }
      })
      const [a, b] = [yield* cluster.join("a", { cacheMax: 4 }), yield* cluster.join("b", { cacheMax: 100 })]
      const [cache, other] = [a, b].map(({ member }) => member.cache<string>("n"))
      yield* cluster.advance("2 seconds")
      cache.set("k", "old")
      yield* cluster.advance("1 second")
      assert.strictEqual(other.peek("k"), "old")
      // In one turn: far more keys than the outbox holds.
      cache.set("k", "new")
      for (let index = 0; index < 25; index++) cache.set(index, "x")
      assert.isFalse(cache.has("k"))
      assert.isAbove(a.member.localMetrics("n").coherence.outboxOverflows, 0)
      let seen: string | undefined = "not flushed"
      yield* Effect.forkChild(Effect.tap(a.mccache.flush({ timeout: 30 }), () =>
        Effect.sync(() => {
          seen = other.peek("k")
        })))
      yield* cluster.advance("20 seconds")
      assert.isUndefined(seen)
    }).pipe(Effect.scoped))

  it.effect("counts a member that is still catching up only when it has", () =>
    Effect.gen(function*() {
      const { cacheOf, cluster, observer } = yield* start(68, 0)
      const written = new Map<string, Stamp>()
      for (let index = 0; index < 3_000; index++) {
        cacheOf("a").set(`k${index}`, index)
        written.set(`k${index}`, cacheOf("a").metadata(`k${index}`)?.stamp ?? assert.fail("just written"))
      }
      yield* cluster.advance("5 seconds")
      const late = yield* cluster.join("late")
      late.member.cache("n")
      let flushed = 0
      for (let step = 0; step < 100; step++) {
        yield* Effect.forkChild(
          Effect.tap(cluster.node("a").mccache.flush({ timeout: "20 seconds" }), () =>
            Effect.sync(() => {
              Checkers.flushed(observer, cluster.node("a"), written)
              flushed++
            })),
          { startImmediately: true }
        )
        yield* cluster.advance(10)
      }
      yield* cluster.advance("20 seconds")
      assert.strictEqual(flushed, 100)
    }).pipe(Effect.scoped))

  for (const seconds of [8, 40]) {
    it.effect(`covers what was written while a member was cut off for ${seconds} s`, () =>
      Effect.gen(function*() {
        const { cacheOf, cluster, observer } = yield* start(69, 0)
        cluster.partition([["a", "b"], ["c"]])
        const written = new Map<string, Stamp>()
        for (let index = 0; index < 100; index++) {
          cacheOf("a").set(`k${index}`, index)
          written.set(`k${index}`, cacheOf("a").metadata(`k${index}`)?.stamp ?? assert.fail("just written"))
        }
        yield* cluster.advance(`${seconds} seconds`)
        cluster.heal()
        let [flushed, covered] = [0, 0]
        for (let step = 0; step < 500; step++) {
          yield* Effect.forkChild(
            Effect.tap(cluster.node("a").mccache.flush({ timeout: "20 seconds" }), ({ members }) =>
              Effect.sync(() => {
                Checkers.flushed(observer, cluster.node("a"), written)
                flushed++
                if (members === 2) covered++
              })),
            { startImmediately: true }
          )
          yield* cluster.advance(10)
        }
        yield* cluster.advance("20 seconds")
        assert.strictEqual(flushed, 500)
        assert.isAbove(covered, 100)
      }).pipe(Effect.scoped))
  }

  it.effect("reports who left, and does not await who joins later", () =>
    Effect.gen(function*() {
      const { cacheOf, cluster } = yield* start(63, 0)
      const gone = cluster.node("c").member.id
      cacheOf("a").set("x", 1)
      yield* cluster.kill("c")
      const flush = yield* Effect.forkChild(cluster.node("a").mccache.flush({ timeout: "30 seconds" }))
      yield* cluster.advance("1 second")
      yield* cluster.join("d")
      cluster.hub.block("a", "d")
      yield* cluster.advance("20 seconds")
      const exit = flush.pollUnsafe()
      assert.strictEqual(exit?._tag, "Success")
      if (exit?._tag === "Success") assert.deepStrictEqual(exit.value.left, [gone])
    }).pipe(Effect.scoped))

  it.effect("succeeds at once when there is nobody else", () =>
    Effect.gen(function*() {
      const { cacheOf, cluster } = yield* start(64, 0, ["only"])
      cacheOf("only").set("x", 1)
      const flush = yield* Effect.forkChild(cluster.node("only").mccache.flush())
      yield* cluster.advance("10 millis")
      assert.strictEqual(flush.pollUnsafe()?._tag, "Success")
    }).pipe(Effect.scoped))
})

describe("ack", () => {
  const write = (cluster: Cluster.Cluster, ack: "all" | "majority" | number) =>
    Effect.flatMap(cluster.node("a").mccache.cache<number>("n"), (cache) => cache.set("x", 1, { ack, timeout: 3 }))

  it.effect("counts as many members as it was asked for, and no fewer", () =>
    Effect.gen(function*() {
      const { cacheOf, cluster } = yield* start(65, 0, ["a", "b", "c", "d", "e"])
      // Two of four others can be reached.
      cluster.partition([["a", "b", "c"], ["d", "e"]])
      const asked = {
        one: yield* Effect.forkChild(write(cluster, 1)),
        two: yield* Effect.forkChild(write(cluster, 2)),
        three: yield* Effect.forkChild(write(cluster, 3)),
        majority: yield* Effect.forkChild(write(cluster, "majority")),
        all: yield* Effect.forkChild(write(cluster, "all"))
      }
      yield* cluster.advance("500 millis")
      for (const name of ["one", "two", "majority"] as const) {
        assert.strictEqual(asked[name].pollUnsafe()?._tag, "Success", name)
      }
      for (const name of ["three", "all"] as const) assert.isUndefined(asked[name].pollUnsafe(), name)
      yield* cluster.advance("3 seconds")
      for (const name of ["three", "all"] as const) assert.strictEqual(failedWith(asked[name]), "AckTimeout")
      // Not enough have it, and yet it is written.
      for (const name of ["a", "b", "c"]) assert.strictEqual(cacheOf(name).peek("x"), 1)
    }).pipe(Effect.scoped))

  it.effect("fails at once, and writes nothing, when there are not so many members", () =>
    Effect.gen(function*() {
      const { cacheOf, cluster } = yield* start(66, 0)
      const error = yield* Effect.flip(write(cluster, 3))
      assert.strictEqual(error.reason._tag, "AckTimeout")
      assert.isFalse(cacheOf("a").has("x"))
    }).pipe(Effect.scoped))

  it.effect("of a member that just started waits until it knows how many there are", () =>
    Effect.gen(function*() {
      const { cacheOf, cluster } = yield* start(70, 0, ["b"])
      yield* cluster.join("a")
      const written = yield* Effect.forkChild(write(cluster, 1), { startImmediately: true })
      assert.isUndefined(written.pollUnsafe())
      assert.isEmpty(cluster.node("a").member.members().slice(1))
      yield* cluster.advance("2 seconds")
      assert.strictEqual(written.pollUnsafe()?._tag, "Success")
      assert.strictEqual(cacheOf("b").peek("x"), 1)
    }).pipe(Effect.scoped))

  it.effect("fails when a member that just started finds nobody, and from then on at once, and writes nothing", () =>
    Effect.gen(function*() {
      const { cacheOf, cluster } = yield* start(71, 0, [])
      yield* cluster.join("a")
      const written = yield* Effect.forkChild(write(cluster, 1), { startImmediately: true })
      assert.isUndefined(written.pollUnsafe())
      yield* cluster.advance("2 seconds")
      assert.strictEqual(failedWith(written), "AckTimeout")
      assert.isTrue(cacheOf("a").delete("x"))
      const error = yield* Effect.flip(write(cluster, 1))
      assert.strictEqual(error.reason._tag, "AckTimeout")
      assert.isFalse(cacheOf("a").has("x"))
    }).pipe(Effect.scoped))
})
