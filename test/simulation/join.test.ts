/** Members that start late, and what `ready` says meanwhile. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Options } from "../../src/domain/Configuration.ts"
import * as Cluster from "../../src/runtime/testing/Cluster.ts"

const options: Options = { cacheMax: 20_000, cacheSize: 64 * 1_048_576, cacheTtl: 0 }

/** Whether an effect has ended, looked at without waiting. */
const watched = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.forkChild(effect), (fiber) => ({
    done: () => fiber.pollUnsafe() !== undefined,
    join: Fiber.join(fiber)
  }))

describe("a member whose first acknowledgement was lost", () => {
  it.effect("has what is sent kept for it all the same, and misses nothing for good", () =>
    Effect.gen(function*() {
      for (let seed = 1; seed <= 30; seed++) {
        const cluster = yield* Cluster.make({ seed, options, faults: { loss: 0.4 } })
        for (const name of ["a", "b", "c"]) (yield* cluster.join(name)).member.cache("n")
        yield* cluster.advance("500 millis")
        cluster.faults({})
        yield* cluster.advance("5 seconds")
        cluster.faults({ loss: 0.4 })
        for (const { member } of cluster.nodes()) member.cache("n").set(member.id, seed)
        yield* cluster.advance(5)
        cluster.faults({})
        yield* cluster.advance("5 seconds")
        for (const { member } of cluster.nodes()) {
          assert.strictEqual(member.cache("n").size, 3)
          assert.strictEqual(member.localMetrics().network.abandoned, 0, `seed ${seed}`)
        }
      }
    }).pipe(Effect.scoped))
})

describe("a member that starts a minute late", () => {
  const late = (loss: number) =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({
        seed: 11,
        options,
        faults: { loss, delay: { minMillis: 0.5, maxMillis: 1 } }
      })
      const first = yield* cluster.join("first")
      yield* cluster.join("second")
      const cache = first.member.cache<string>("big")
      cluster.node("second").member.cache("big")
      yield* cluster.advance("1 second")
      for (let index = 0; index < 10_000; index++) cache.set(`key-${index}`, `value-${index}-${"x".repeat(80)}`)
      for (let index = 0; index < 100; index++) cache.delete(`key-${index}`)
      yield* cluster.advance("60 seconds")

      const joiner = yield* cluster.join("late")
      const joined = joiner.member.cache<string>("big")
      const ready = yield* watched(joiner.mccache.ready)
      let readyAfter = 0
      for (let millis = 0; millis < 2_000; millis += 50) {
        yield* cluster.advance(50)
        if (!ready.done()) continue
        readyAfter = readyAfter === 0 ? millis + 50 : readyAfter
        // Truthful: from the moment that it is ready it holds everything, and nothing else.
        assert.strictEqual(joined.size, 9_900)
      }
      assert.isAbove(readyAfter, 0, "ready within two seconds")
      assert.strictEqual(joined.checksum(), cache.checksum())
      assert.strictEqual(joined.get("key-5000"), `value-5000-${"x".repeat(80)}`)
      assert.isFalse(joined.has("key-7"))
    }).pipe(Effect.scoped)

  it.effect("holds all 10,000 entries within two seconds", () => late(0))
  it.effect("does so when a datagram in twenty is lost", () => late(0.05))
})

describe("what a newcomer writes", () => {
  for (const cacheMode of [0, 1, 2] as const) {
    it.effect(`is newer than what a member that it knows wrote before, whatever its clock (mode ${cacheMode})`, () =>
      Effect.gen(function*() {
        const cluster = yield* Cluster.make({
          options: { ...options, cacheMode },
          faults: { delay: { minMillis: 0.5, maxMillis: 1 } }
        })
        // Nearer than 125 ms, both keep their own clocks.
        const first = yield* cluster.join("first", { skewMillis: 115 })
        yield* cluster.advance("1 second")
        const cache = first.member.cache<string>("n")
        cache.set("k", "old")
        const old = cache.metadata("k")?.stamp.clock ?? Infinity
        const newcomer = yield* cluster.join("newcomer")
        const own = newcomer.member.cache<string>("n")
        let millis = 0
        while (newcomer.member.members().length < 2 && millis++ < 100) yield* cluster.advance(1)
        assert.isBelow(millis, 100, "they meet before its clock is where the other one was")
        own.set("k", "new")
        assert.isAbove(own.metadata("k")?.stamp.clock ?? 0, old)
      }).pipe(Effect.scoped))
  }
})

describe("ready", () => {
  for (const lost of ["from", "to"] as const) {
    it.effect(`is not said alone because the first datagrams ${lost} the only other member were lost`, () =>
      Effect.gen(function*() {
        const cluster = yield* Cluster.make({ options, faults: { delay: { minMillis: 0.5, maxMillis: 1 } } })
        const first = yield* cluster.join("first")
        yield* cluster.advance("2 seconds")
        first.member.cache<number>("n").set("k", 1)
        if (lost === "from") cluster.hub.block("first", "late")
        else cluster.hub.block("late", "first")
        const late = yield* cluster.join("late")
        const cache = late.member.cache<number>("n")
        const ready = yield* watched(late.mccache.ready)
        yield* cluster.advance(60)
        cluster.heal()
        for (let millis = 0; millis < 3_000 && !ready.done(); millis += 10) yield* cluster.advance(10)
        assert.isTrue(ready.done())
        assert.strictEqual(cache.get("k"), 1)
      }).pipe(Effect.scoped))
  }

  it.effect("is met at its next announcement by a member whose proof was lost, not only at that one's next heartbeat", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ options, faults: { delay: { minMillis: 2, maxMillis: 2 } } })
      const first = yield* cluster.join("first")
      first.member.cache<number>("n").set("k", 1)
      // Its next heartbeat is more than half a second away.
      yield* cluster.advance(2_350)
      const late = yield* cluster.join("late")
      const cache = late.member.cache<number>("n")
      const ready = yield* watched(late.mccache.ready)
      // The challenge has come, and what answers the joiner's own is lost, with all that is said in that moment.
      yield* cluster.advance(5)
      cluster.hub.block("first", "late")
      yield* cluster.advance(20)
      assert.deepStrictEqual([first, late].map(({ member }) => member.members().length), [2, 1])
      cluster.heal()
      yield* cluster.advance(500)
      assert.isTrue(ready.done())
      assert.strictEqual(cache.get("k"), 1)
    }).pipe(Effect.scoped))

  it.effect("succeeds when nobody else is there", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ options })
      const only = yield* cluster.join("only")
      only.member.cache("n")
      const ready = yield* watched(only.mccache.ready)
      yield* cluster.advance("100 millis")
      assert.isFalse(ready.done(), "it has not listened for long enough to know")
      yield* cluster.advance("1 second")
      assert.isTrue(ready.done())
    }).pipe(Effect.scoped))

  it.effect("waits for a transfer that cannot proceed, and succeeds when it can", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ options })
      const donor = yield* cluster.join("donor")
      const cache = donor.member.cache<number>("n")
      for (let index = 0; index < 1_000; index++) cache.set(index, index)
      yield* cluster.advance("2 seconds")
      const joiner = yield* cluster.join("joiner")
      yield* cluster.advance("1 second")
      yield* joiner.mccache.ready
      // It knows the donor, and opens the namespace when nothing gets through from there any more.
      cluster.hub.block("donor", "joiner")
      const joined = joiner.member.cache<number>("n")
      const ready = yield* watched(joiner.mccache.ready)
      yield* cluster.advance("4 seconds")
      assert.isFalse(ready.done())
      assert.strictEqual(joined.size, 0)
      cluster.heal()
      yield* cluster.advance("10 seconds")
      assert.isTrue(ready.done())
      assert.strictEqual(joined.checksum(), cache.checksum())
    }).pipe(Effect.scoped))

  it.effect("waits for a member that is still being met, whatever the others gave", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ options, faults: { delay: { minMillis: 1, maxMillis: 2 } } })
      const [writer] = [yield* cluster.join("writer"), yield* cluster.join("other")]
      writer.member.cache<number>("n").set("k", 1)
      yield* cluster.advance("5 seconds")
      // What the joiner says does not get to the writer; the other gives it everything meanwhile.
      cluster.hub.block("joiner", "writer")
      const joiner = yield* cluster.join("joiner")
      const joined = joiner.member.cache<number>("n")
      const ready = yield* watched(joiner.mccache.ready)
      for (let index = 0; index < 150; index++) {
        yield* cluster.advance(10)
        writer.member.cache<number>("n").set("k", index)
      }
      assert.isFalse(ready.done())
      cluster.heal()
      for (let step = 0; step < 200 && !ready.done(); step++) yield* cluster.advance(10)
      assert.isTrue(ready.done())
      writer.member.cache<number>("n").set("k", -1)
      yield* cluster.advance(20)
      assert.strictEqual(joined.peek("k"), -1)
    }).pipe(Effect.scoped))

  it.effect("another donor serves when the first is killed in the middle", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ options, seed: 3, faults: { delay: { minMillis: 2, maxMillis: 2 } } })
      const left = yield* cluster.join("left")
      const right = yield* cluster.join("right")
      const cache = left.member.cache<string>("n")
      right.member.cache("n")
      yield* cluster.advance("1 second")
      for (let index = 0; index < 10_000; index++) cache.set(index, "x".repeat(200))
      yield* cluster.advance("5 seconds")
      const joiner = yield* cluster.join("joiner")
      const joined = joiner.member.cache<string>("n")
      const ready = yield* watched(joiner.mccache.ready)
      // Until the transfer is under way.
      for (let step = 0; step < 200 && joined.size < 100; step++) yield* cluster.advance(5)
      assert.isAbove(joined.size, 0)
      assert.isFalse(ready.done())
      assert.isBelow(joined.size, 9_000, "in the middle")
      // The donor is the one that answers with replies.
      const donor = right.member.localMetrics().operations.out.REPLY > 0 ? "right" : "left"
      const survivor = donor === "right" ? left : right
      yield* cluster.kill(donor)
      yield* cluster.advance("30 seconds")
      assert.isTrue(ready.done())
      assert.strictEqual(joined.checksum(), survivor.member.cache("n").checksum())
      assert.strictEqual(joined.size, 10_000)
    }).pipe(Effect.scoped))

  it.effect("does not take what was just opened elsewhere for what nobody has", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ options, faults: { delay: { minMillis: 1, maxMillis: 2 } } })
      const [a, b] = [yield* cluster.join("a"), yield* cluster.join("b")]
      yield* cluster.advance("5 seconds")
      // Opened between two heartbeats, so that nobody was told.
      a.member.cache<number>("just").set("k", 1)
      yield* cluster.advance("100 millis")
      const opened = b.member.cache<number>("just")
      const ready = yield* watched(b.mccache.ready)
      for (let step = 0; step < 100 && !ready.done(); step++) yield* cluster.advance(10)
      assert.isTrue(ready.done())
      assert.strictEqual(opened.peek("k"), 1)
    }).pipe(Effect.scoped))

  it.effect("comes although the elder's clock is off, which the other follows until there are three", () =>
    Effect.gen(function*() {
      // Which of the two is its donor is chance.
      for (let seed = 1; seed <= 8; seed++) {
        const cluster = yield* Cluster.make({ seed, options, faults: { delay: { minMillis: 0.5, maxMillis: 1 } } })
        for (const name of ["a", "b"]) (yield* cluster.join(name)).member.cache("n")
        yield* cluster.advance("2 seconds")
        const elder = cluster.nodes().reduce((one, two) => one.member.id < two.member.id ? one : two)
        elder.skew(4_000)
        // The other refuses it, and is the newcomer's donor all the same: what it lacks is had from the elder.
        const writes = elder.member.cache<number>("n")
        writes.set("k", 0)
        const { member } = yield* cluster.join("c")
        for (let write = 1; write <= 40; write++) {
          writes.set("k", write)
          yield* cluster.advance(10)
          if (write === 20) member.cache("n")
        }
        yield* cluster.advance("10 seconds")
        assert.isTrue(member.namespaces().get("n")?.caughtUp, `seed ${seed}`)
        assert.strictEqual(member.cache("n").get("k"), 40)
      }
    }).pipe(Effect.scoped))

  it.effect("tells of all namespaces, however many there are", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ options, faults: { delay: { minMillis: 1, maxMillis: 2 } } })
      const a = yield* cluster.join("a")
      for (let index = 0; index < 100; index++) a.member.cache<number>(`n${index}`).set("k", index)
      yield* cluster.advance("5 seconds")
      const b = yield* cluster.join("b")
      const all = Array.from({ length: 100 }, (_, index) => b.member.cache<number>(`n${index}`))
      const ready = yield* watched(b.mccache.ready)
      for (let step = 0; step < 500 && !ready.done(); step++) yield* cluster.advance(10)
      assert.isTrue(ready.done())
      assert.strictEqual(all.filter((cache) => cache.has("k")).length, 100)
    }).pipe(Effect.scoped))

  it.effect("two members that open a namespace at the same moment do not wait for each other", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ options, faults: { delay: { minMillis: 1, maxMillis: 2 } } })
      const nodes = [yield* cluster.join("a"), yield* cluster.join("b")]
      yield* cluster.advance("5 seconds")
      for (const [index, { member }] of nodes.entries()) member.cache<number>("same").set(`k${index}`, index)
      const ready = yield* Effect.forEach(nodes, ({ mccache }) => watched(mccache.ready))
      yield* cluster.advance("2 seconds")
      for (const each of ready) assert.isTrue(each.done())
      yield* cluster.advance("5 seconds")
      for (const { member } of nodes) assert.strictEqual(member.cache("same").size, 2)
    }).pipe(Effect.scoped))

  it.effect("members that start together are all ready, and hold what each of them wrote", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ options, seed: 5 })
      const names = ["a", "b", "c", "d", "e"]
      for (const name of names) {
        const node = yield* cluster.join(name)
        node.member.cache<string>("n").set(`from-${name}`, name)
      }
      const all = yield* Effect.forEach(names, (name) => watched(cluster.node(name).mccache.ready))
      yield* cluster.advance("5 seconds")
      for (const [index, name] of names.entries()) {
        assert.isTrue(all[index].done(), `${name} is ready`)
        assert.strictEqual(cluster.node(name).member.cache("n").size, 5)
      }
    }).pipe(Effect.scoped))
})
