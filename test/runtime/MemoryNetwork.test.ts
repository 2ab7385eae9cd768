/** What is particular to the simulated network. What every network promises is in `NetworkConformance.test.ts`. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryNetwork from "../../src/runtime/MemoryNetwork.ts"
import * as NetworkFaults from "../../src/runtime/NetworkFaults.ts"
import type { Address, Network } from "../../src/services/Network.ts"

/** What a member heard, in batches as they were pulled. */
interface Ear {
  readonly address: Address
  readonly network: Network["Service"]
  readonly batches: Array<ReadonlyArray<{ readonly number: number; readonly from: Address; readonly atMillis: number }>>
}

const numberOf = (payload: Uint8Array): number => new DataView(payload.buffer, payload.byteOffset).getUint32(0)

const datagram = (number: number, bytes = 4): Uint8Array => {
  const payload = new Uint8Array(bytes)
  new DataView(payload.buffer).setUint32(0, number)
  return payload
}

const datagrams = (count: number, bytes = 4): ReadonlyArray<Uint8Array> =>
  Array.from({ length: count }, (_, number) => datagram(number, bytes))

const join = Effect.fnUntraced(function*(hub: MemoryNetwork.Hub, addresses: ReadonlyArray<Address>) {
  const clock = yield* Clock.Clock
  const ears: Array<Ear> = []
  for (const address of addresses) {
    const network = hub.network(address)
    const pull = yield* network.receive
    const ear: Ear = { address, network, batches: [] }
    yield* Effect.forkScoped(Effect.ignore(Effect.forever(Effect.map(pull, (batch) => {
      const atMillis = clock.currentTimeMillisUnsafe()
      ear.batches.push(batch.map(({ from, payload }) => ({ number: numberOf(payload), from, atMillis })))
    }))))
    ears.push(ear)
  }
  yield* settle
  return ears
})

/** Lets all that is due now happen. */
const settle = TestClock.adjust(0)

const heard = (ear: Ear) => ear.batches.flat()
const numbers = (ear: Ear): ReadonlyArray<number> => heard(ear).map(({ number }) => number)

describe("delivery", () => {
  it.effect("without delay takes no time, and what is sent at once arrives as one batch", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make()
      const [a, b, c] = yield* join(hub, ["a", "b", "c"])
      yield* a.network.multicast(datagrams(100))
      yield* settle
      for (const ear of [b, c]) {
        assert.deepStrictEqual(numbers(ear), Array.from({ length: 100 }, (_, i) => i))
        assert.strictEqual(ear.batches.length, 1)
      }
      assert.deepStrictEqual(numbers(a), [])
      assert.deepStrictEqual(hub.addresses(), ["a", "b", "c"])
    }))

  it.effect("does not run the receiver on the sender's turn", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make()
      const [a, b] = yield* join(hub, ["a", "b"])
      yield* a.network.multicast(datagrams(1))
      assert.deepStrictEqual(b.batches, [])
      yield* settle
      assert.deepStrictEqual(numbers(b), [0])
    }))

  it.effect("comes within the bounds of the delay, and equal delays keep the order", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make({ seed: 2, faults: { delay: { minMillis: 5, maxMillis: 5 } } })
      const [a, b] = yield* join(hub, ["a", "b"])
      yield* a.network.multicast(datagrams(50))
      yield* TestClock.adjust(4)
      assert.deepStrictEqual(numbers(b), [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(numbers(b), Array.from({ length: 50 }, (_, i) => i))

      hub.setFaults({ delay: { minMillis: 2, maxMillis: 12 } })
      yield* a.network.multicast(datagrams(500))
      const sentAt = yield* Clock.currentTimeMillis
      yield* TestClock.adjust(100)
      const late = heard(b).slice(50)
      assert.strictEqual(late.length, 500)
      assert.isTrue(late.every(({ atMillis }) => atMillis >= sentAt + 2 && atMillis <= sentAt + 12))
      assert.isTrue(late.some(({ number }, i) => i > 0 && number < late[i - 1].number))
      assert.isAbove(new Set(late.map(({ atMillis }) => atMillis)).size, 20)
    }))

  it.effect("a shorter delay overtakes what is under way", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make({ faults: { delay: { minMillis: 50, maxMillis: 50 } } })
      const [a, b] = yield* join(hub, ["a", "b"])
      yield* a.network.multicast([datagram(1)])
      yield* TestClock.adjust(10)
      hub.setFaults({ delay: { minMillis: 10, maxMillis: 10 } })
      yield* a.network.multicast([datagram(2)])
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(numbers(b), [2])
      hub.setFaults({})
      yield* a.network.multicast([datagram(3)])
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(heard(b).map(({ atMillis, number }) => [number, atMillis]), [[2, 20], [3, 20], [1, 50]])
    }))

  it.effect("to an address that nobody has is counted", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make()
      const [a] = yield* join(hub, ["a"])
      yield* a.network.unicast("nobody", datagrams(3))
      yield* a.network.multicast(datagrams(1))
      const counters = hub.counters()
      assert.deepInclude(counters, { sent: 4, unreachable: 3, delivered: 0 })
    }))
})

describe("faults", () => {
  it.effect("lose the share that they are told to", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make({ seed: 3, faults: { loss: 0.3 } })
      const [a, b, c] = yield* join(hub, ["a", "b", "c"])
      for (let i = 0; i < 50; i++) {
        yield* a.network.multicast(datagrams(100))
        yield* settle
      }
      for (const ear of [b, c]) assert.closeTo(numbers(ear).length / 5_000, 0.7, 0.02)
      assert.notDeepEqual(numbers(b), numbers(c))
      hub.setFaults({ loss: 1 })
      const before = numbers(b).length
      yield* a.network.multicast(datagrams(100))
      yield* settle
      assert.strictEqual(numbers(b).length, before)
    }))

  it.effect("lose in bursts of the length that they are told to", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make({ seed: 4, faults: { loss: 0.2, lossBurstDatagrams: 8 } })
      const [a, b] = yield* join(hub, ["a", "b"])
      const count = 20_000
      for (let i = 0; i < count; i += 500) {
        yield* a.network.multicast(Array.from({ length: 500 }, (_, j) => datagram(i + j)))
        yield* settle
      }
      const arrived = new Set(numbers(b))
      let bursts = 0
      for (let i = 1; i < count; i++) if (!arrived.has(i) && arrived.has(i - 1)) bursts++
      const lost = count - arrived.size
      assert.closeTo(lost / count, 0.2, 0.03)
      assert.closeTo(lost / bursts, 8, 1)
    }))

  it.effect("repeat", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make({ seed: 5, faults: { duplication: 0.5 } })
      const [a, b] = yield* join(hub, ["a", "b"])
      yield* a.network.multicast(datagrams(1_000))
      yield* settle
      const counts = new Map<number, number>()
      for (const number of numbers(b)) counts.set(number, (counts.get(number) ?? 0) + 1)
      assert.strictEqual(counts.size, 1_000)
      assert.isTrue([...counts.values()].every((count) => count <= 2))
      assert.closeTo(numbers(b).length, 1_500, 60)
      assert.strictEqual(hub.counters().duplicated, numbers(b).length - 1_000)
    }))

  it.effect("change exactly one byte of what they corrupt, in the copy of one receiver", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make({ seed: 6, faults: { corruption: 0.5 } })
      const sender = hub.network("a")
      yield* Effect.asVoid(sender.receive)
      const [b, c] = yield* Effect.forEach(["b", "c"], (address) => hub.network(address).receive)
      const sent = new Uint8Array(64).fill(7)
      yield* sender.multicast(Array.from({ length: 400 }, () => sent))
      yield* settle
      const changes = (yield* b).map(({ payload }) => payload.filter((byte) => byte !== 7).length)
      const others = (yield* c).map(({ payload }) => payload.filter((byte) => byte !== 7).length)
      assert.isTrue([...changes, ...others].every((count) => count <= 1))
      assert.closeTo(changes.filter((count) => count === 1).length, 200, 50)
      assert.notDeepEqual(changes, others)
      assert.isTrue(sent.every((byte) => byte === 7))
    }))

  it.effect("that make no sense are refused", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make()
      const senseless: ReadonlyArray<Partial<NetworkFaults.Faults>> = [
        { loss: 1.1 },
        { loss: Number.NaN },
        { duplication: -0.1 },
        { corruption: 2 },
        { delay: { minMillis: 2, maxMillis: 1 } },
        { delay: { minMillis: -1, maxMillis: 1 } },
        { lossBurstDatagrams: 0 },
        { loss: 0.9, lossBurstDatagrams: 2 }
      ]
      for (const faults of senseless) assert.throws(() => hub.setFaults(faults))
      assert.deepStrictEqual(hub.faults(), NetworkFaults.none)
    }))
})

describe("a partition", () => {
  const reach = Effect.fnUntraced(function*(ears: ReadonlyArray<Ear>) {
    const pairs: Array<string> = []
    for (const ear of ears) {
      for (const other of ears) other.batches.length = 0
      yield* ear.network.multicast([datagram(1)])
      for (const other of ears) if (other !== ear) yield* ear.network.unicast(other.address, [datagram(2)])
      yield* settle
      for (const other of ears) {
        const got = numbers(other)
        assert.isTrue(got.length === 0 || got.length === 2, "multicast and unicast are cut alike")
        if (got.length > 0) pairs.push(ear.address + other.address)
      }
    }
    return pairs.join(" ")
  })

  it.effect("lets only members of one side hear each other, those not named being one side", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make()
      const ears = yield* join(hub, ["a", "b", "c", "d", "e"])
      hub.partition([["a", "b"], ["c"]])
      assert.strictEqual(yield* reach(ears), "ab ba de ed")
      hub.partition([["a"]])
      assert.strictEqual(yield* reach(ears), "bc bd be cb cd ce db dc de eb ec ed")
      hub.heal()
      assert.strictEqual((yield* reach(ears)).split(" ").length, 20)
      assert.isAbove(hub.counters().blocked, 0)
    }))

  it.effect("can be one-way", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make()
      const ears = yield* join(hub, ["a", "b", "c"])
      hub.block("a", "b")
      assert.strictEqual(yield* reach(ears), "ac ba bc ca cb")
      hub.block("c", "b")
      assert.strictEqual(yield* reach(ears), "ac ba bc ca")
      hub.heal()
      assert.strictEqual(yield* reach(ears), "ab ac ba bc ca cb")
    }))

  it.effect("does not stop what is under way", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make({ faults: { delay: { minMillis: 10, maxMillis: 10 } } })
      const [a, b] = yield* join(hub, ["a", "b"])
      yield* a.network.multicast([datagram(1)])
      hub.partition([["a"], ["b"]])
      yield* a.network.multicast([datagram(2)])
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(numbers(b), [1])
    }))
})

describe("a paused member", () => {
  it.effect("gets what its buffer held once it is resumed, and what did not fit is dropped and counted", () =>
    Effect.gen(function*() {
      // Holds two full datagrams, at 2,304 bytes each.
      const hub = yield* MemoryNetwork.make({ receiveBufferBytes: 5_000 })
      const [a, b] = yield* join(hub, ["a", "b"])
      hub.pause("b")
      yield* a.network.multicast(datagrams(5, 1_472))
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(b.batches, [])
      hub.resume("b")
      yield* settle
      assert.deepStrictEqual(numbers(b), [0, 1])
      assert.deepStrictEqual(b.network.drops(), { receiveOverflow: 3, sendFailures: 0 })
      assert.strictEqual(hub.counters().overflowed, 3)
      yield* a.network.multicast(datagrams(1))
      yield* settle
      assert.strictEqual(b.batches.length, 2)
    }))

  it.effect("says nothing until it is resumed; then what it said goes out, as far as it was held", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make({ receiveBufferBytes: 5_000 })
      const [a, b] = yield* join(hub, ["a", "b"])
      hub.pause("a")
      yield* a.network.multicast(datagrams(3, 1_472))
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(numbers(b), [])
      assert.strictEqual(a.network.drops().sendFailures, 1)
      hub.resume("a")
      yield* settle
      assert.deepStrictEqual(numbers(b), [0, 1])
      hub.pause("a")
      hub.resume("a")
      yield* settle
      assert.deepStrictEqual(numbers(b), [0, 1])
    }))

  it.effect("stays paused when it opens anew", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make()
      hub.pause("b")
      const [a, b] = yield* join(hub, ["a", "b"])
      yield* a.network.multicast([datagram(1)])
      yield* settle
      assert.deepStrictEqual(numbers(b), [])
      hub.resume("b")
      yield* settle
      assert.deepStrictEqual(numbers(b), [1])
    }))
})

describe("a receive buffer", () => {
  it.effect("is bounded whatever is sent, and each pull empties it", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make({ receiveBufferBytes: 23_040 })
      const sender = hub.network("a")
      yield* Effect.asVoid(sender.receive)
      const pull = yield* hub.network("b").receive
      for (let round = 1; round <= 3; round++) {
        yield* sender.multicast(datagrams(100, 1_472))
        yield* settle
        assert.strictEqual((yield* pull).length, 10)
        assert.strictEqual(hub.counters().overflowed, 90 * round)
      }
    }))

  it.effect("may differ by member", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make()
      const sender = hub.network("a")
      const small = hub.network("b", { receiveBufferBytes: 2_304 })
      yield* Effect.asVoid(sender.receive)
      const pull = yield* small.receive
      yield* sender.multicast(datagrams(3, 1_472))
      yield* settle
      assert.strictEqual((yield* pull).length, 1)
      assert.strictEqual(small.receiveBufferBytes(), 2_304)
      assert.strictEqual(sender.receiveBufferBytes(), 4_194_304)
    }))
})

describe("a member", () => {
  it.effect("whose sockets fail is told so, and joins again when it opens anew", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make()
      const [a] = yield* join(hub, ["a"])
      const b = hub.network("b")
      const error = yield* Effect.scoped(Effect.gen(function*() {
        const pull = yield* b.receive
        const waiting = yield* Effect.forkChild(Effect.flip(pull), { startImmediately: true })
        hub.fail("b")
        yield* b.multicast([datagram(1)])
        return yield* Fiber.join(waiting)
      }))
      assert.strictEqual(error.reason._tag, "NetworkFailed")
      assert.deepStrictEqual(hub.addresses(), ["a"])
      assert.strictEqual(b.drops().sendFailures, 1)
      const pull = yield* b.receive
      yield* a.network.multicast([datagram(2)])
      assert.strictEqual(numberOf((yield* pull)[0].payload), 2)
    }))

  it.effect("that closes and opens anew gets nothing of what was under way to it before", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make({ faults: { delay: { minMillis: 10, maxMillis: 10 } } })
      const [a] = yield* join(hub, ["a"])
      const b = hub.network("b")
      yield* Effect.scoped(Effect.andThen(b.receive, a.network.multicast([datagram(1)])))
      const pull = yield* b.receive
      yield* a.network.multicast([datagram(2)])
      yield* TestClock.adjust(10)
      assert.deepStrictEqual((yield* pull).map(({ payload }) => numberOf(payload)), [2])
      assert.strictEqual(hub.counters().unreachable, 1)
    }))

  it.effect("cannot take the address of another", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make()
      yield* join(hub, ["a"])
      const error = yield* Effect.flip(hub.network("a").receive)
      assert.strictEqual(error.reason._tag, "NetworkFailed")
      assert.throws(() => hub.network(MemoryNetwork.everyone))
    }))
})

describe("a tap", () => {
  it.effect("shows every datagram that is sent, also those that are lost, until it is ended", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make({ faults: { loss: 1 } })
      const [a, b] = yield* join(hub, ["a", "b"])
      const seen: Array<string> = []
      const end = hub.tap(({ atMillis, from, payload, to }) =>
        seen.push(`${atMillis} ${from} ${to} ${numberOf(payload)}`)
      )
      yield* a.network.multicast([datagram(1)])
      yield* TestClock.adjust(7)
      yield* b.network.unicast("a", [datagram(2)])
      end()
      yield* a.network.multicast([datagram(3)])
      assert.deepStrictEqual(seen, ["0 a * 1", "7 b a 2"])
      assert.strictEqual(hub.counters().lost, 3)
    }))

  it.effect("has bytes that nobody changes afterwards", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make()
      const [a, b] = yield* join(hub, ["a", "b"])
      const seen: Array<Uint8Array> = []
      hub.tap(({ payload }) => seen.push(payload))
      const payload = datagram(1)
      yield* a.network.multicast([payload])
      payload.fill(255)
      yield* settle
      assert.deepStrictEqual(numbers(b), [1])
      assert.strictEqual(numberOf(seen[0]), 1)
    }))
})

describe("an injected datagram", () => {
  it.effect("arrives from whom it pretends, past faults and partitions", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryNetwork.make({ faults: { loss: 1, delay: { minMillis: 50, maxMillis: 50 } } })
      const [a, b] = yield* join(hub, ["a", "b"])
      hub.partition([["a"], ["b"]])
      yield* hub.inject("b", datagram(1), "a")
      yield* hub.inject(MemoryNetwork.everyone, datagram(2), "mallory")
      yield* hub.inject("nobody", datagram(3), "mallory")
      yield* settle
      assert.deepStrictEqual(heard(b).map(({ from, number }) => [number, from]), [[1, "a"], [2, "mallory"]])
      assert.deepStrictEqual(heard(a).map(({ from, number }) => [number, from]), [[2, "mallory"]])
      assert.deepInclude(hub.counters(), { injected: 4, unreachable: 1, sent: 0 })
    }))
})

describe("determinism", () => {
  const faults: Partial<NetworkFaults.Faults> = {
    loss: 0.2,
    lossBurstDatagrams: 3,
    duplication: 0.1,
    delay: { minMillis: 1, maxMillis: 20 },
    corruption: 0.05
  }

  const trace = Effect.fnUntraced(function*(seed: number) {
    const hub = yield* MemoryNetwork.make({ seed, faults })
    const ears = yield* join(hub, ["a", "b", "c", "d"])
    for (let round = 0; round < 20; round++) {
      for (const ear of ears) yield* ear.network.multicast(datagrams(3))
      yield* ears[round % 4].network.unicast(ears[(round + 1) % 4].address, datagrams(2))
      if (round === 5) hub.pause("c")
      if (round === 10) hub.partition([["a", "b"]])
      if (round === 12) hub.resume("c")
      if (round === 15) hub.heal()
      yield* TestClock.adjust(4)
    }
    yield* TestClock.adjust(100)
    return JSON.stringify([ears.map((ear) => ear.batches), hub.counters()])
  }, Effect.scoped)

  it("the same seed and the same calls give the same deliveries, another seed others", async () => {
    const run = (seed: number) => Effect.runPromise(Effect.provide(trace(seed), TestClock.layer()))
    const first = await run(7)
    assert.strictEqual(await run(7), first)
    assert.notStrictEqual(await run(8), first)
  })

  it("whatever the faults, every delivery is accounted for and nothing is made up", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      await Effect.runPromise(Effect.provide(
        Effect.scoped(Effect.gen(function*() {
          const hub = yield* MemoryNetwork.make({
            seed,
            receiveBufferBytes: 8_192,
            faults: { ...faults, corruption: 0, loss: (seed % 5) / 10, delay: { minMillis: 0, maxMillis: seed % 4 } }
          })
          const ears = yield* join(hub, ["a", "b", "c"])
          hub.block("a", "c")
          for (let round = 0; round < 10; round++) {
            for (const [i, ear] of ears.entries()) {
              yield* ear.network.multicast([datagram(round * 3 + i), datagram(1_000 + i)])
            }
            yield* TestClock.adjust(round % 3)
          }
          yield* TestClock.adjust(100)
          const counters = hub.counters()
          assert.strictEqual(counters.sent, 60)
          assert.strictEqual(
            counters.sent * 2 + counters.duplicated,
            counters.delivered + counters.lost + counters.blocked + counters.overflowed + counters.unreachable
          )
          assert.strictEqual(ears.reduce((sum, ear) => sum + heard(ear).length, 0), counters.delivered)
          for (const ear of ears) {
            for (const { from, number } of heard(ear)) {
              assert.strictEqual(number >= 1_000 ? number - 1_000 : number % 3, ["a", "b", "c"].indexOf(from))
              assert.notStrictEqual(from, ear.address)
            }
          }
        })),
        TestClock.layer()
      ))
    }
  })
})

describe("a skewed clock", () => {
  it.effect("differs by the offset, which may drift, and sleeps on the base", () =>
    Effect.gen(function*() {
      const base = yield* Clock.Clock
      const clock = MemoryNetwork.skewedClock(base, () => 250 + base.currentTimeMillisUnsafe() / 100)
      yield* TestClock.adjust(1_000)
      assert.strictEqual(clock.currentTimeMillisUnsafe(), 1_260)
      assert.strictEqual(yield* clock.currentTimeMillis, 1_260)
      assert.strictEqual(clock.currentTimeNanosUnsafe(), 1_260_000_000n)
      assert.strictEqual(yield* clock.currentTimeNanos, 1_260_000_000n)
      assert.strictEqual(clock.monotonicTimeNanosUnsafe(), base.monotonicTimeNanosUnsafe())
      let woken = false
      yield* Effect.forkChild(
        Effect.provideService(Effect.andThen(Effect.sleep(100), Effect.sync(() => woken = true)), Clock.Clock, clock)
      )
      yield* TestClock.adjust(99)
      assert.isFalse(woken)
      yield* TestClock.adjust(1)
      assert.isTrue(woken)
    }))
})
