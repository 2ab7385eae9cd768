/**
 * What `Network` promises, asked of every implementation: the simulated network, and real UDP on loopback.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { networkInterfaces } from "node:os"
import type { McCacheError } from "../../src/domain/McCacheError.ts"
import * as MemoryNetwork from "../../src/runtime/MemoryNetwork.ts"
import * as UdpNetwork from "../../src/runtime/UdpNetwork.ts"
import type { Network, Received } from "../../src/services/Network.ts"

type Implementation = Network["Service"]
type Pull = Effect.Effect<ReadonlyArray<Received>, McCacheError>

/** Makes members of one new group, whose largest payload is as given. */
type Make = (
  count: number,
  datagramBytesMax: number
) => Effect.Effect<ReadonlyArray<Implementation>, McCacheError, Scope.Scope>

let lastPort = 20_000 + (process.pid % 12_000)

const udp = (group: string, local: string): Make => (count, datagramBytesMax) =>
  Effect.sync(() => {
    const port = ++lastPort
    return Array.from({ length: count }, () =>
      UdpNetwork.make({
        group,
        port,
        interface: local,
        hops: 1,
        receiveBufferBytes: 4_194_304,
        datagramBytesMax,
        random: () => 0.5
      }))
  })

const memory: Make = (count, datagramBytesMax) =>
  Effect.map(
    MemoryNetwork.make({ seed: 1, datagramBytesMax }),
    (hub) => Array.from({ length: count }, (_, member) => hub.network(`10.0.0.${member + 1}:4000`))
  )

const bytes = (length: number, first: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (first + i * 31) & 255)

/** Pulls until so many datagrams are there, or fails the test in time. */
const pullMany = (pull: Pull, count: number) =>
  Effect.gen(function*() {
    const received: Array<Received> = []
    while (received.length < count) received.push(...(yield* pull))
    return received
  }).pipe(Effect.timeout("5 seconds"))

/** What arrives until a datagram that starts with 255 does: what was sent before, and would have arrived, has. */
const pullUntilMark = (pull: Pull) =>
  Effect.gen(function*() {
    const received: Array<Received> = []
    while (received.every(({ payload }) => payload[0] !== 255)) received.push(...(yield* pull))
    return received.filter(({ payload }) => payload[0] !== 255)
  }).pipe(Effect.timeout("5 seconds"))

const mark = Uint8Array.of(255)

const conforms = (make: Make, hearsItself: boolean): void => {
  it.live("a multicast reaches all others, unaltered and in order", () =>
    Effect.gen(function*() {
      const [sender, ...others] = yield* make(3, 1_472)
      yield* Effect.asVoid(sender.receive)
      const pulls = yield* Effect.forEach(others, (member) => member.receive)
      const payloads = [bytes(1, 1), bytes(100, 2), bytes(1_472, 3)]
      yield* sender.multicast(payloads)
      for (const pull of pulls) {
        const received = yield* pullMany(pull, 3)
        assert.deepStrictEqual(received.map(({ payload }) => Uint8Array.from(payload)), payloads)
        assert.isTrue(received.every(({ from }) => from === sender.self()))
      }
    }))

  it.live("a unicast reaches the one that it is for, and no other", () =>
    Effect.gen(function*() {
      const [sender, wanted, other] = yield* make(3, 1_472)
      const pulls = yield* Effect.forEach([sender, wanted, other], (member) => member.receive)
      yield* sender.unicast(wanted.self(), [bytes(50, 4), bytes(51, 5)])
      const received = yield* pullMany(pulls[1], 2)
      assert.deepStrictEqual(received.map(({ payload }) => Uint8Array.from(payload)), [bytes(50, 4), bytes(51, 5)])
      yield* wanted.multicast([mark])
      assert.deepStrictEqual(yield* pullUntilMark(pulls[2]), [])
      assert.deepStrictEqual(yield* pullUntilMark(pulls[0]), [])
    }))

  it.live("the address that a datagram came from is one to answer to", () =>
    Effect.gen(function*() {
      const [asker, answerer] = yield* make(2, 1_472)
      const [asking, answering] = yield* Effect.forEach([asker, answerer], (member) => member.receive)
      yield* asker.multicast([bytes(10, 6)])
      const [question] = yield* pullMany(answering, 1)
      yield* answerer.unicast(question.from, [bytes(20, 7)])
      const [answer] = yield* pullMany(asking, 1)
      assert.strictEqual(answer.payload.length, 20)
      assert.strictEqual(answer.from, answerer.self())
      assert.notStrictEqual(asker.self(), answerer.self())
    }))

  it.live("a pull returns everything that is waiting", () =>
    Effect.gen(function*() {
      const [sender, receiver] = yield* make(2, 1_472)
      yield* Effect.asVoid(sender.receive)
      const pull = yield* receiver.receive
      yield* sender.multicast(Array.from({ length: 70 }, (_, i) => bytes(10, i)))
      // Nobody pulls meanwhile: what arrives is queued. Some turns more, for a process that was held up meanwhile.
      yield* Effect.sleep("50 millis")
      for (let turn = 0; turn < 10; turn++) yield* Effect.yieldNow
      const batch = yield* Effect.timeout(pull, "5 seconds")
      assert.strictEqual(batch.length, 70)
      assert.deepStrictEqual(batch.map(({ payload }) => payload[0]), Array.from({ length: 70 }, (_, i) => i))
    }))

  it.live("a payload of 60,000 bytes arrives whole", () =>
    Effect.gen(function*() {
      const [sender, receiver] = yield* make(2, 60_000)
      yield* Effect.asVoid(sender.receive)
      const pull = yield* receiver.receive
      yield* sender.multicast([bytes(60_000, 8)])
      yield* sender.unicast(receiver.self(), [bytes(60_000, 9)])
      const received = yield* pullMany(pull, 2)
      const sorted = received.map(({ payload }) => Uint8Array.from(payload)).sort((a, b) => a[0] - b[0])
      assert.deepStrictEqual(sorted, [bytes(60_000, 8), bytes(60_000, 9)])
    }))

  it.live("a payload over the maximum is counted, not sent, and harms nothing around it", () =>
    Effect.gen(function*() {
      const [sender, receiver] = yield* make(2, 500)
      yield* Effect.asVoid(sender.receive)
      const pull = yield* receiver.receive
      yield* sender.multicast([bytes(10, 1), bytes(501, 2), bytes(500, 3)])
      const received = yield* pullMany(pull, 2)
      assert.deepStrictEqual(received.map(({ payload }) => payload.length), [10, 500])
      assert.strictEqual(sender.drops().sendFailures, 1)
      assert.strictEqual(sender.datagramBytesMax, 500)
    }))

  it.live("a payload is the receiver's to keep and to change", () =>
    Effect.gen(function*() {
      const [sender, one, other] = yield* make(3, 500)
      yield* Effect.asVoid(sender.receive)
      const [pull, otherPull] = yield* Effect.forEach([one, other], (member) => member.receive)
      const payload = bytes(10, 1)
      yield* sender.multicast([payload])
      const [received] = yield* pullMany(pull, 1)
      received.payload.fill(0)
      const [untouched] = yield* pullMany(otherPull, 1)
      assert.deepStrictEqual(Uint8Array.from(untouched.payload), bytes(10, 1))
      assert.deepStrictEqual(payload, bytes(10, 1))
    }))

  it.live("nothing is sent and everything is counted before receive is opened", () =>
    Effect.gen(function*() {
      const [early, receiver] = yield* make(2, 500)
      const pull = yield* receiver.receive
      yield* early.multicast([bytes(10, 1), bytes(10, 2)])
      yield* early.unicast(receiver.self(), [bytes(10, 3)])
      assert.strictEqual(early.drops().sendFailures, 3)
      yield* Effect.asVoid(early.receive)
      yield* early.multicast([mark])
      assert.deepStrictEqual(yield* pullUntilMark(pull), [])
    }))

  it.live("a closed member hears and says nothing, and its waiting pull fails", () =>
    Effect.gen(function*() {
      const [sender, receiver] = yield* make(2, 500)
      const pullOfSender = yield* sender.receive
      const scope = yield* Scope.make()
      const pull = yield* Scope.provide(receiver.receive, scope)
      const waiting = yield* Effect.forkChild(Effect.flip(pull), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      const error = yield* Effect.timeout(Fiber.join(waiting), "5 seconds")
      assert.strictEqual(error.reason._tag, "NetworkFailed")
      yield* receiver.multicast([bytes(10, 1)])
      assert.strictEqual(receiver.drops().sendFailures, 1)
      const third = yield* sender.multicast([bytes(10, 2)])
      assert.isUndefined(third)
      yield* sender.unicast(sender.self(), [mark])
      assert.deepStrictEqual(yield* pullUntilMark(pullOfSender), [])
    }))

  it.live("a member that opened anew hears and is heard", () =>
    Effect.gen(function*() {
      const [sender, receiver] = yield* make(2, 500)
      const pullOfSender = yield* sender.receive
      for (let round = 0; round < 3; round++) {
        yield* Effect.scoped(Effect.gen(function*() {
          const pull = yield* receiver.receive
          yield* sender.multicast([bytes(10, round)])
          const [received] = yield* pullMany(pull, 1)
          assert.strictEqual(received.payload[0], round)
          yield* receiver.multicast([bytes(10, round)])
          const [answer] = yield* pullMany(pullOfSender, 1)
          assert.strictEqual(answer.from, receiver.self())
        }))
      }
    }))

  it.live("an interrupted pull loses nothing", () =>
    Effect.gen(function*() {
      const [sender, receiver] = yield* make(2, 500)
      yield* Effect.asVoid(sender.receive)
      const pull = yield* receiver.receive
      const waiting = yield* Effect.forkChild(pull, { startImmediately: true })
      yield* Fiber.interrupt(waiting)
      yield* sender.multicast([bytes(10, 1)])
      assert.strictEqual((yield* pullMany(pull, 1)).length, 1)
    }))

  it.live("an address that makes no sense is a failure to send, not an error", () =>
    Effect.gen(function*() {
      const [sender, receiver] = yield* make(2, 500)
      yield* Effect.asVoid(sender.receive)
      const pull = yield* receiver.receive
      yield* sender.unicast("nowhere", [bytes(10, 1)])
      yield* sender.unicast("", [bytes(10, 1)])
      yield* sender.multicast([mark])
      assert.deepStrictEqual(yield* pullUntilMark(pull), [])
    }))

  it.live("the receive buffer's size is known once it is there", () =>
    Effect.gen(function*() {
      const [member] = yield* make(1, 500)
      yield* Effect.asVoid(member.receive)
      assert.isAtLeast(member.receiveBufferBytes(), 2_304)
      assert.deepStrictEqual(member.drops(), { receiveOverflow: 0, sendFailures: 0 })
      assert.isNotEmpty(member.self())
    }))

  if (!hearsItself) {
    it.live("a member does not hear itself", () =>
      Effect.gen(function*() {
        const [sender, other] = yield* make(2, 500)
        const [pull] = yield* Effect.forEach([sender, other], (member) => member.receive)
        yield* sender.multicast([bytes(10, 1)])
        yield* other.multicast([mark])
        assert.deepStrictEqual(yield* pullUntilMark(pull), [])
      }))
  }
}

describe("in memory", () => conforms(memory, false))

describe("UDP over IPv4 on loopback", () => conforms(udp("239.255.77.3", "127.0.0.1"), false))

/** Whether ::1 takes part in multicast of the group here; the reason when it does not. */
const probeIpv6 = (group: string): Effect.Effect<string | undefined> =>
  Effect.gen(function*() {
    if (Object.values(networkInterfaces()).flat().every((one) => one?.address !== "::1")) return "this host has no ::1"
    const [sender, receiver] = yield* udp(group, "::1")(2, 100)
    yield* Effect.asVoid(sender.receive)
    const pull = yield* receiver.receive
    yield* sender.multicast([mark])
    return yield* Effect.as(Effect.timeout(pull, "1 second"), undefined)
  }).pipe(Effect.scoped, Effect.catch((error) => Effect.succeed(error.message)))

for (const group of ["ff01::4d43", "ff02::4d43"]) {
  const reason = await Effect.runPromise(probeIpv6(group))
  const title = `UDP over IPv6 on loopback, ${group}${reason === undefined ? "" : `, not here: ${reason}`}`
  describe.runIf(reason === undefined)(title, () => conforms(udp(group, "::1"), false))
}
