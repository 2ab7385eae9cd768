/** One sender's stream and its receivers: numbers, gaps, acknowledgements, the window. */
import { assert, describe, it } from "@effect/vitest"
import * as FlowWindow from "../../src/domain/FlowWindow.ts"
import * as ReceiveStream from "../../src/domain/ReceiveStream.ts"
import * as SendStream from "../../src/domain/SendStream.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"

const bodyOf = (number: number): Uint8Array => Uint8Array.of(number & 255, (number >> 8) & 255, 7)

describe("SendStream", () => {
  const make = (retainBytesMax = 1_000) => SendStream.make({ retainBytesMax })

  it("numbers bodies from 1 and keeps them within its bound, the newest ones", () => {
    const stream = make(30)
    for (let number = 1; number <= 100; number++) {
      assert.strictEqual(SendStream.append(stream, bodyOf(number)), number)
      assert.isAtMost(SendStream.retainedBytes(stream), 30)
    }
    assert.strictEqual(SendStream.lowest(stream), 91)
    assert.isUndefined(SendStream.body(stream, 90))
    assert.deepEqual(SendStream.body(stream, 95), bodyOf(95))
  })

  it("lets go of what everybody has settled, and of nothing else", () => {
    const stream = make()
    for (let number = 1; number <= 10; number++) SendStream.append(stream, bodyOf(number))
    SendStream.settle(stream, 4)
    assert.isUndefined(SendStream.body(stream, 4))
    assert.isDefined(SendStream.body(stream, 5))
    SendStream.settle(stream, 100)
    assert.strictEqual(SendStream.retainedBytes(stream), 0)
    assert.strictEqual(SendStream.append(stream, bodyOf(11)), 11)
  })

  it("repeats a number at most once in a while, and only what is kept", () => {
    const stream = make(30)
    for (let number = 1; number <= 20; number++) SendStream.append(stream, bodyOf(number))
    assert.deepStrictEqual(SendStream.resend(stream, [{ from: 1, to: 13 }], 100, 99), [11, 12, 13])
    assert.deepStrictEqual(SendStream.resend(stream, [{ from: 11, to: 14 }], 105, 99), [14])
    assert.deepStrictEqual(SendStream.resend(stream, [{ from: 11, to: 14 }], 111, 2), [11, 12])
    assert.deepStrictEqual(SendStream.resend(stream, [{ from: 19, to: Number.MAX_SAFE_INTEGER }], 111, 99), [19, 20])
  })

  it("a number that is skipped is used up and cannot be had", () => {
    const stream = make()
    SendStream.append(stream, bodyOf(1))
    SendStream.skip(stream)
    assert.strictEqual(SendStream.highest(stream), 2)
    assert.strictEqual(SendStream.lowest(stream), 3)
    assert.strictEqual(SendStream.append(stream, bodyOf(3)), 3)
  })
})

describe("ReceiveStream", () => {
  const make = (random: () => number = () => 0.5) => ReceiveStream.make({ first: 1, random })
  const take = (stream: ReceiveStream.ReceiveStream, number: number, now: number): string => {
    const outcome = ReceiveStream.receive(stream, number, now)
    if (outcome === "new") ReceiveStream.settle(stream, number, now)
    return outcome
  }

  it("asks for a gap only after a moment for reordering, and again with doubling pauses", () => {
    const stream = make()
    take(stream, 1, 0)
    take(stream, 4, 0)
    assert.isUndefined(ReceiveStream.onDue(stream, 0.9).nack)
    const asked: Array<number> = []
    for (let now = 1; now < 2_000; now++) {
      const { lost, nack } = ReceiveStream.onDue(stream, now)
      if (nack === undefined) continue
      assert.deepStrictEqual(nack, [{ from: 2, to: 3 }])
      // Counted once, however often it is asked for.
      assert.strictEqual(lost, asked.length === 0 ? 2 : 0)
      asked.push(now)
    }
    assert.isAtMost(asked[0], 10)
    const pauses = asked.slice(1).map((at, index) => at - asked[index])
    assert.deepStrictEqual(pauses, [20, 40, 80, 160, 320, 640])
  })

  it("does not ask when the gap closes in time, and is silent when nothing is missing", () => {
    const stream = make()
    for (const number of [2, 1, 3]) take(stream, number, 0)
    for (let now = 0; now < 100; now++) assert.isUndefined(ReceiveStream.onDue(stream, now).nack)
    assert.strictEqual(ReceiveStream.nextDue(stream), Infinity)
  })

  it("asks for a new gap as for the first, however long it asked for others", () => {
    const stream = make()
    take(stream, 2, 0)
    for (let now = 0; now < 1_500; now++) ReceiveStream.onDue(stream, now)
    take(stream, 1, 1_500)
    take(stream, 4, 1_501)
    let asked = 0
    for (let now = 1_501; now < 1_512; now++) if (ReceiveStream.onDue(stream, now).nack !== undefined) asked++
    assert.strictEqual(asked, 1)
  })

  it("abandons what is missing for ten seconds, or is below the sender's lowest; received passes it, settled does not", () => {
    const waiting = make()
    take(waiting, 2, 0)
    let abandoned = 0
    for (let now = 0; now <= 12_000; now += 5) abandoned += ReceiveStream.onDue(waiting, now).abandoned
    const told = make()
    take(told, 2, 0)
    ReceiveStream.announce(told, 2, 2, 1)
    abandoned += ReceiveStream.onDue(told, 1).abandoned
    assert.strictEqual(abandoned, 2)
    for (const stream of [waiting, told]) {
      assert.isTrue(ReceiveStream.abandoned(stream))
      assert.strictEqual(ReceiveStream.received(stream), 2)
      assert.strictEqual(ReceiveStream.settled(stream), 0)
      ReceiveStream.repaired(stream, 2)
      assert.strictEqual(ReceiveStream.settled(stream), 2)
    }
  })

  it("a number that was refused is settled only by a repair that began when it was known", () => {
    const stream = make()
    ReceiveStream.receive(stream, 1, 0)
    ReceiveStream.receive(stream, 3, 0)
    ReceiveStream.refuse(stream, 3, 0)
    ReceiveStream.settle(stream, 1, 0)
    ReceiveStream.repaired(stream, 2)
    assert.isTrue(ReceiveStream.abandoned(stream), "the repair began before")
    ReceiveStream.repaired(stream, 3)
    assert.strictEqual(ReceiveStream.settled(stream), 1, "2 is still missing")
    take(stream, 2, 1)
    assert.strictEqual(ReceiveStream.settled(stream), 3)
  })

  it("that begins behind settles nothing until a repair with the sender, and then goes on as any other", () => {
    const behind = ReceiveStream.makeBehind({ first: 8, random: () => 0.5 })
    assert.isTrue(ReceiveStream.abandoned(behind))
    assert.strictEqual(ReceiveStream.settled(behind), 6)
    take(behind, 8, 0)
    assert.deepStrictEqual([ReceiveStream.received(behind), ReceiveStream.settled(behind)], [8, 6])
    ReceiveStream.repaired(behind, 8)
    assert.strictEqual(ReceiveStream.settled(behind), 8)
    // Of a sender that sent nothing before there is nothing to repair.
    assert.isFalse(ReceiveStream.abandoned(ReceiveStream.makeBehind({ first: 1, random: () => 0.5 })))
  })

  it("acknowledges after enough datagrams, after a moment, or at once when asked", () => {
    const stream = make()
    ReceiveStream.setAckEvery(stream, 4)
    const acked: Array<number> = []
    for (let now = 1; now <= 60; now++) {
      if (now <= 8) take(stream, now, now)
      if (now === 30) take(stream, 9, now)
      if (now === 50) ReceiveStream.ackNow(stream)
      if (ReceiveStream.onDue(stream, now).ack) acked.push(now)
    }
    assert.deepStrictEqual(acked, [4, 8, 35, 50])
  })

  it("takes each number once, none from before its start, and stays within its memory whatever numbers arrive", () => {
    const random = mulberry32(3)
    const stream = ReceiveStream.make({ first: 10, random, spanMax: 64 })
    const taken = new Set<number>()
    for (let step = 0; step < 20_000; step++) {
      const number = random() < 0.01
        ? Math.floor(random() * 2 ** 40)
        : Math.max(1, stream.settled - 5 + Math.floor(random() * 60))
      const outcome = take(stream, number, step)
      if (number < 10) assert.strictEqual(outcome, "old")
      if (outcome === "new") {
        assert.isFalse(taken.has(number))
        taken.add(number)
      }
      ReceiveStream.onDue(stream, step)
      if (random() < 0.05) ReceiveStream.repaired(stream, ReceiveStream.highest(stream))
      assert.isAtMost(ReceiveStream.settled(stream), ReceiveStream.received(stream))
      assert.isAtMost(ReceiveStream.received(stream), ReceiveStream.highest(stream))
      assert.strictEqual(stream.marks.length, 64)
    }
  })
})

describe("FlowWindow", () => {
  const ack = (flow: FlowWindow.FlowWindow, member: string, number: number, credit: number, now: number): void =>
    FlowWindow.onAck(flow, member, { received: number, settled: number, credit }, now, 1, number)

  it("lets nothing out while nobody counts, and no more than the least credit", () => {
    const flow = FlowWindow.make()
    assert.strictEqual(FlowWindow.available(flow, 0), 0)
    ack(flow, "a", 0, 100, 0)
    ack(flow, "b", 0, 3, 0)
    assert.strictEqual(FlowWindow.available(flow, 0), 3)
    assert.strictEqual(FlowWindow.available(flow, 2), 1)
  })

  it("opens by what is acknowledged, up to the credit", () => {
    const flow = FlowWindow.make({ windowInitial: 4 })
    ack(flow, "a", 0, 50, 0)
    assert.strictEqual(FlowWindow.windowOf(flow), 4)
    ack(flow, "a", 4, 50, 1)
    assert.strictEqual(FlowWindow.windowOf(flow), 8)
    for (let number = 10; number < 400; number += 10) ack(flow, "a", number, 50, number)
    assert.strictEqual(FlowWindow.windowOf(flow), 50)
  })

  it("halves at most once per round trip on loss, and never below min(windowMin, credit)", () => {
    const flow = FlowWindow.make({ windowInitial: 64 })
    ack(flow, "a", 0, 100, 0)
    FlowWindow.onLoss(flow, "a", 10)
    FlowWindow.onLoss(flow, "a", 10.1)
    assert.strictEqual(FlowWindow.windowOf(flow), 32)
    for (let now = 20; now < 400; now += 5) FlowWindow.onLoss(flow, "a", now)
    assert.strictEqual(FlowWindow.windowOf(flow), 4)
    ack(flow, "a", 0, 1, 500)
    assert.strictEqual(FlowWindow.windowOf(flow), 1)
  })

  it("a receiver that says nothing stops counting, so that the others go on, until it has settled what is kept", () => {
    const flow = FlowWindow.make({ laggardMillis: 500 })
    for (const member of ["a", "b"]) ack(flow, member, 0, 10, 0)
    for (let number = 1; number <= 10; number++) FlowWindow.sent(flow, number, 0)
    assert.strictEqual(FlowWindow.available(flow, 10), 0)
    ack(flow, "a", 10, 10, 1)
    assert.deepStrictEqual(FlowWindow.due(flow, 499, 1), [])
    assert.deepStrictEqual(FlowWindow.due(flow, 502, 1), ["b"])
    assert.strictEqual(FlowWindow.available(flow, 10), 10)
    assert.strictEqual(FlowWindow.stable(flow), 10)
    // What it has not settled is kept for it all the same.
    assert.strictEqual(FlowWindow.settledByAll(flow), 0)
    ack(flow, "b", 10, 10, 600)
    assert.deepStrictEqual(FlowWindow.lagging(flow), [])
  })
})

describe("a stream over a link that loses, repeats and reorders", () => {
  interface Flight {
    readonly at: number
    readonly arrive: () => void
  }

  /** Sends so many numbers to receivers over such a link; returns what happened. */
  const run = (seed: number) => {
    const random = mulberry32(seed)
    const below = (bound: number): number => Math.floor(random() * bound)
    const total = 200 + below(600)
    const [loss, duplication, delayMax] = [random() * 0.4, random() * 0.2, 1 + below(20)]
    const credit = 1 + below(60)
    const sender = SendStream.make({ retainBytesMax: 10_000_000 })
    const flow = FlowWindow.make()
    const receivers = ["a", "b", "c"].slice(0, 1 + below(3)).map((name) => ({
      name,
      stream: ReceiveStream.make({ first: 1, random }),
      contents: new Map<number, string>()
    }))
    const flights: Array<Flight> = []
    let [now, announced, interval, nacks, windowMax] = [0, 0, 20, 0, 0]
    let datagrams = 0
    const fly = (arrive: () => void): void => {
      datagrams++
      if (random() < loss) return
      for (let copies = random() < duplication ? 2 : 1; copies > 0; copies--) {
        flights.push({ at: now + random() * delayMax, arrive })
      }
    }
    const transmit = (number: number, to: ReadonlyArray<typeof receivers[number]>): void => {
      const body = SendStream.body(sender, number) ?? assert.fail("what is asked for is kept")
      for (const receiver of to) {
        fly(() => {
          const content = body.join()
          // A number's content never changes.
          assert.strictEqual(receiver.contents.get(number) ?? content, content)
          if (ReceiveStream.receive(receiver.stream, number, now) !== "new") return
          receiver.contents.set(number, content)
          ReceiveStream.settle(receiver.stream, number, now)
        })
      }
    }
    const announce = (): void => {
      const [lowest, highest] = [SendStream.lowest(sender), SendStream.highest(sender)]
      for (const { stream } of receivers) {
        fly(() => {
          ReceiveStream.announce(stream, lowest, highest, now)
          ReceiveStream.ackNow(stream)
        })
      }
    }
    const done = (): boolean =>
      SendStream.highest(sender) === total && FlowWindow.counted(flow) === receivers.length &&
      FlowWindow.stable(flow) === total
    announce()
    for (; now < 120_000 && !done(); now++) {
      for (const flight of flights.splice(0)) {
        if (flight.at <= now) flight.arrive()
        else flights.push(flight)
      }
      for (const { name, stream } of receivers) {
        const due = ReceiveStream.onDue(stream, now)
        assert.strictEqual(due.abandoned, 0)
        if (due.nack !== undefined) {
          nacks++
          const ranges = due.nack
          fly(() => {
            FlowWindow.onLoss(flow, name, now)
            for (const number of SendStream.resend(sender, ranges, now, 256)) transmit(number, receivers)
          })
        }
        if (due.ack) {
          const said = { received: stream.received, settled: stream.settled, credit }
          fly(() => FlowWindow.onAck(flow, name, said, now, SendStream.lowest(sender), SendStream.highest(sender)))
        }
      }
      FlowWindow.due(flow, now, 1)
      let room = FlowWindow.available(flow, SendStream.highest(sender))
      assert.isAtMost(FlowWindow.windowOf(flow), Math.max(credit, 16))
      windowMax = Math.max(windowMax, room)
      for (; room > 0 && SendStream.highest(sender) < total; room--) {
        const number = SendStream.append(sender, bodyOf(SendStream.highest(sender) + 1))
        FlowWindow.sent(flow, number, now)
        transmit(number, receivers)
        ;[announced, interval] = [now, 20]
      }
      // The tail, and a closed window: announced with doubling pauses.
      if (now - announced >= interval) {
        announce()
        ;[announced, interval] = [now, Math.min(1_000, 2 * interval)]
      }
    }
    assert.isTrue(done(), `seed ${seed}: not everything settled in time`)
    for (const { contents } of receivers) assert.strictEqual(contents.size, total)
    return { total, datagrams, nacks, receivers: receivers.length, loss, windowMax, credit }
  }

  it("everything settles at everyone, once, and no window exceeds the least credit", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { credit, windowMax } = run(seed)
      assert.isAtMost(windowMax, credit)
    }
  })
})
