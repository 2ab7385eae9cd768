/** How much may be under way, and to whom it matters: held against the rules as arithmetic over all that was said. */
import { assert, describe, it } from "@effect/vitest"
import * as FlowWindow from "../../src/domain/FlowWindow.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"

const a = "a".repeat(32)
const b = "b".repeat(32)
const c = "c".repeat(32)

/** A sender with its window: numbers are sent when the window allows. */
class Sender {
  readonly flow: FlowWindow.FlowWindow
  highest = 0
  lowest = 1

  constructor(options: FlowWindow.Options = {}) {
    this.flow = FlowWindow.make(options)
  }

  ack(member: string, received: number, credit: number, now: number, settled = received): void {
    FlowWindow.onAck(this.flow, member, { received, settled, credit }, now, this.lowest, this.highest)
  }

  /** Sends all that the window allows, or less. Returns how many. */
  send(now: number, most = Infinity): number {
    let count = 0
    while (count < most && FlowWindow.available(this.flow, this.highest) > 0) {
      FlowWindow.sent(this.flow, ++this.highest, now)
      count++
    }
    return count
  }
}

describe("the window", () => {
  it("holds to its rules over random acknowledgements, losses, silences and departures", () => {
    let [laggards, returned, closed] = [0, 0, 0]
    for (let seed = 1; seed <= 60; seed++) {
      const random = mulberry32(seed)
      const below = (limit: number): number => Math.floor(random() * limit)
      const sender = new Sender()
      const { flow } = sender
      /** What everybody said. */
      const model = new Map<
        string,
        { received: number; settled: number; credit: number; heard: number; lagging: boolean }
      >()
      const sentAt: Array<number> = [0]
      let now = 0
      for (let step = 0; step < 250; step++) {
        now += random() < 0.03 ? 300 + below(500) : below(20)
        const member = [a, b, c][below(3)]
        const chance = random()
        const known = model.get(member)
        if (chance < 0.35) {
          const count = sender.send(now, 1 + below(20))
          for (let sent = 0; sent < count; sent++) sentAt.push(now)
        } else if (chance < 0.8) {
          const from = known?.received ?? sender.lowest - 1
          // Acknowledgements may arrive out of order, and be older than what is known.
          const received = Math.max(0, from - 2 + below(sender.highest - from + 3))
          const settled = Math.max(0, received - below(4))
          const credit = 1 + below(random() < 0.5 ? 6 : 80)
          sender.ack(member, received, credit, now, settled)
          const enough = Math.max(settled, known?.settled ?? 0)
          if (known?.lagging === true && enough >= sender.lowest - 1) returned++
          model.set(member, {
            received: Math.max(received, known?.received ?? 0),
            settled: enough,
            credit,
            heard: now,
            // Who comes is waited for in what it hears; who fell silent, when it has what is not kept any more.
            lagging: known === undefined ? received < sender.lowest - 1 : known.lagging && enough < sender.lowest - 1
          })
        } else if (chance < 0.88) {
          FlowWindow.onLoss(flow, member, now)
          if (known !== undefined) known.heard = now
        } else if (chance < 0.9) {
          FlowWindow.leave(flow, member)
          model.delete(member)
        } else if (chance < 0.93) {
          // What is kept is bounded: who was silent may lack what is gone.
          sender.lowest = Math.max(sender.lowest, sender.highest - below(10))
        } else {
          const patience = Math.max(500, 4 * flow.roundTripMillis)
          const expected = [...model].filter(([, { heard, lagging, received }]) =>
            !lagging && received < sender.highest && now - Math.max(heard, sentAt[received + 1]) >= patience
          ).map(([id]) => id)
          const overdue = FlowWindow.nextDue(flow) <= now
          assert.sameMembers([...FlowWindow.due(flow, now)], expected, `seed ${seed}, step ${step}`)
          assert.strictEqual(overdue, expected.length > 0, `seed ${seed}, step ${step}`)
          for (const id of expected) model.set(id, { ...model.get(id)!, lagging: true })
          laggards += expected.length
        }
        const all = [...model.values()]
        const counted = all.filter(({ lagging }) => !lagging)
        const least = (numbers: ReadonlyArray<number>): number => Math.min(Infinity, ...numbers)
        const credit = least(counted.map((one) => one.credit))
        const window = FlowWindow.windowOf(flow)
        const where = `seed ${seed}, step ${step}`
        assert.isAtMost(window, credit, where)
        assert.isAtLeast(window, Math.min(4, credit), where)
        assert.strictEqual(
          FlowWindow.available(flow, sender.highest),
          counted.length === 0 ? 0 : Math.max(0, least(counted.map((one) => one.received)) + window - sender.highest),
          where
        )
        if (FlowWindow.available(flow, sender.highest) === 0) closed++
        assert.strictEqual(FlowWindow.counted(flow), counted.length, where)
        assert.strictEqual(FlowWindow.stable(flow), least(counted.map((one) => one.settled)), where)
        assert.strictEqual(FlowWindow.settledByAll(flow), least(all.map((one) => one.settled)), where)
        assert.sameMembers(
          [...FlowWindow.lagging(flow)],
          [...model].filter(([, { lagging }]) => lagging).map(([id]) => id),
          where
        )
        for (const id of [a, b, c]) assert.strictEqual(FlowWindow.settledOf(flow, id), model.get(id)?.settled, where)
      }
    }
    // The runs came to see what they are about.
    assert.isAbove(laggards, 50)
    assert.isAbove(returned, 20)
    assert.isAbove(closed, 500)
  })

  it("lets nothing out while nobody counts", () => {
    const sender = new Sender()
    assert.strictEqual(sender.send(0), 0)
    sender.ack(a, 0, 50, 0)
    assert.isAbove(sender.send(0), 0)
    FlowWindow.leave(sender.flow, a)
    assert.strictEqual(sender.send(0), 0)
  })

  it("opens from its first size to the smallest credit, by one for each datagram acknowledged", () => {
    const sender = new Sender()
    sender.ack(a, 0, 100, 0)
    sender.ack(b, 0, 60, 0)
    const sizes = [FlowWindow.windowOf(sender.flow)]
    for (let now = 10; sizes.at(-1)! < 60 && now < 1_000; now += 10) {
      sender.send(now)
      sender.ack(a, sender.highest, 100, now + 1)
      sender.ack(b, sender.highest, 60, now + 1)
      sizes.push(FlowWindow.windowOf(sender.flow))
    }
    assert.strictEqual(sizes[0], 16)
    assert.strictEqual(sizes.at(-1), 60)
    assert.isAtMost(sizes.length, 5)
    for (let index = 1; index < sizes.length; index++) assert.isAtLeast(sizes[index], sizes[index - 1])
    // Acknowledging what was acknowledged opens nothing.
    FlowWindow.onLoss(sender.flow, a, 2_000)
    const halved = FlowWindow.windowOf(sender.flow)
    for (let times = 0; times < 10; times++) sender.ack(a, sender.highest, 100, 2_001)
    assert.strictEqual(FlowWindow.windowOf(sender.flow), halved)
  })

  it("halves at most once in a round trip, however many losses are told, and ends at four", () => {
    const sender = new Sender({ windowInitial: 64 })
    sender.ack(a, 0, 64, 0)
    // A round trip of 40 ms.
    for (let now = 0; now < 8_000; now += 40) {
      sender.send(now, 1)
      sender.ack(a, sender.highest, 64, now + 40)
    }
    assert.strictEqual(FlowWindow.windowOf(sender.flow), 64)
    const sizes: Array<{ readonly at: number; readonly window: number }> = []
    for (let now = 10_000; now < 10_400; now++) {
      for (let times = 0; times < 3; times++) FlowWindow.onLoss(sender.flow, a, now)
      const window = FlowWindow.windowOf(sender.flow)
      if (window !== (sizes.at(-1)?.window ?? 64)) sizes.push({ at: now, window })
    }
    assert.deepStrictEqual(sizes.map(({ window }) => window), [32, 16, 8, 4])
    for (let index = 1; index < sizes.length; index++) {
      assert.isAtLeast(sizes[index].at - sizes[index - 1].at, 39)
      assert.isAtMost(sizes[index].at - sizes[index - 1].at, 41)
    }
  })

  it("forgets a small credit as soon as a greater one is given", () => {
    const sender = new Sender()
    sender.ack(a, 0, 1, 0)
    sender.send(0)
    assert.strictEqual(sender.highest, 1)
    FlowWindow.onLoss(sender.flow, a, 1)
    sender.ack(a, 1, 1, 2)
    assert.strictEqual(FlowWindow.windowOf(sender.flow), 1)
    sender.ack(a, 1, 64, 3)
    assert.strictEqual(FlowWindow.windowOf(sender.flow), 4)
    assert.strictEqual(sender.send(3), 4)
  })
})

describe("a silent receiver", () => {
  it("no longer counts after 500 ms with something unacknowledged, and not a moment before", () => {
    const sender = new Sender()
    sender.ack(a, 0, 4, 0)
    sender.ack(b, 0, 4, 0)
    // Silence with nothing unacknowledged is no silence.
    assert.deepStrictEqual(FlowWindow.due(sender.flow, 60_000), [])
    assert.strictEqual(FlowWindow.nextDue(sender.flow), Infinity)
    sender.send(60_000)
    sender.ack(a, 4, 4, 60_001)
    assert.strictEqual(sender.send(60_002), 0)
    assert.strictEqual(FlowWindow.nextDue(sender.flow), 60_500)
    assert.deepStrictEqual(FlowWindow.due(sender.flow, 60_499.5), [])
    assert.deepStrictEqual(FlowWindow.due(sender.flow, 60_500), [b])
    assert.deepStrictEqual(FlowWindow.due(sender.flow, 60_500), [])
    assert.strictEqual(sender.send(60_500), 4)
  })

  it("is given four round trips when these are longer", () => {
    const sender = new Sender()
    sender.ack(a, 0, 64, 0)
    let now = 0
    for (let times = 0; times < 100; times++) {
      sender.send(now, 1)
      now += 300
      sender.ack(a, sender.highest, 64, now)
    }
    sender.send(now, 1)
    assert.deepStrictEqual(FlowWindow.due(sender.flow, now + 1_190), [])
    assert.deepStrictEqual(FlowWindow.due(sender.flow, now + 1_200), [a])
  })

  it("is not given more for what nobody was left to acknowledge, nor for what somebody acknowledged who stood still", () => {
    const alone = new Sender()
    alone.ack(a, 0, 64, 0)
    alone.send(0, 1)
    FlowWindow.leave(alone.flow, a)
    alone.ack(b, 1, 64, 3_600_000)
    alone.ack(b, 1, 64, 3_600_001)
    const stood = new Sender()
    stood.ack(b, 0, 64, 0)
    stood.send(0, 1)
    stood.ack(b, 1, 64, 3_600_001)
    for (const sender of [alone, stood]) {
      sender.send(3_600_002, 1)
      assert.deepStrictEqual(FlowWindow.due(sender.flow, 3_600_501), [])
      assert.deepStrictEqual(FlowWindow.due(sender.flow, 3_600_502), [b])
    }
  })

  it("counts as speaking when it says that it misses something", () => {
    const sender = new Sender()
    sender.ack(a, 0, 4, 0)
    sender.send(0)
    FlowWindow.onLoss(sender.flow, a, 400)
    assert.deepStrictEqual(FlowWindow.due(sender.flow, 899), [])
    assert.deepStrictEqual(FlowWindow.due(sender.flow, 900), [a])
  })

  it("takes nobody with it: who had acknowledged everything has all its time for what is sent next", () => {
    const sender = new Sender()
    sender.ack(a, 0, 64, 0)
    sender.ack(b, 0, 64, 0)
    sender.send(0, 1)
    sender.ack(a, 1, 64, 1)
    sender.send(499, 1)
    assert.deepStrictEqual(FlowWindow.due(sender.flow, 501), [b])
    assert.deepStrictEqual(FlowWindow.due(sender.flow, 998), [])
    assert.deepStrictEqual(FlowWindow.due(sender.flow, 999), [a])
  })

  it("takes nobody with it when it leaves", () => {
    const sender = new Sender()
    sender.ack(a, 0, 64, 0)
    sender.ack(b, 0, 64, 0)
    sender.send(0, 1)
    sender.ack(a, 1, 64, 1)
    FlowWindow.leave(sender.flow, b)
    sender.send(10_000, 1)
    assert.deepStrictEqual(FlowWindow.due(sender.flow, 10_001), [])
    assert.deepStrictEqual(FlowWindow.due(sender.flow, 10_500), [a])
  })

  it("is judged again when a late word made it count again", () => {
    const sender = new Sender()
    sender.ack(a, 0, 4, 0)
    sender.ack(b, 0, 4, 0)
    sender.send(0)
    sender.ack(a, 4, 4, 1)
    assert.deepStrictEqual(FlowWindow.due(sender.flow, 500), [b])
    sender.send(500)
    sender.ack(a, 8, 4, 501)
    // A copy of its first acknowledgement, long under way; then nothing more.
    sender.ack(b, 0, 4, 600)
    assert.strictEqual(sender.send(600), 0)
    assert.strictEqual(FlowWindow.nextDue(sender.flow), 1_100)
    assert.deepStrictEqual(FlowWindow.due(sender.flow, 1_100), [b])
    assert.strictEqual(sender.send(1_100), 4)
  })

  it("counts again only when it has settled all that is not kept any more", () => {
    const sender = new Sender()
    sender.ack(a, 0, 64, 0)
    sender.send(0)
    FlowWindow.due(sender.flow, 500)
    sender.lowest = 11
    sender.ack(a, 16, 64, 600, 9)
    assert.deepStrictEqual(FlowWindow.lagging(sender.flow), [a])
    sender.ack(a, 16, 64, 700, 10)
    assert.deepStrictEqual(FlowWindow.lagging(sender.flow), [])
    // The same for one that was not known yet.
    sender.ack(b, 5, 64, 700, 5)
    assert.deepStrictEqual(FlowWindow.lagging(sender.flow), [b])
  })
})

describe("a closed window", () => {
  it("asks after 20 ms, doubling to 1 s, and begins anew when it was open or acknowledged", () => {
    const sender = new Sender()
    sender.ack(a, 0, 4, 0)
    sender.send(0)
    const asks = (from: number, until: number): ReadonlyArray<number> => {
      const times: Array<number> = []
      for (let now = from; now < until; now++) if (FlowWindow.probe(sender.flow, now)) times.push(now - from)
      return times
    }
    assert.deepStrictEqual(asks(0, 4_000), [20, 60, 140, 300, 620, 1_260, 2_260, 3_260])
    FlowWindow.rest(sender.flow)
    assert.isAtLeast(FlowWindow.nextDue(sender.flow), 500)
    assert.deepStrictEqual(asks(10_000, 10_100), [20, 60])
    sender.ack(a, 1, 4, 10_100)
    assert.deepStrictEqual(asks(10_200, 10_300), [20, 60])
    assert.isAtMost(FlowWindow.nextDue(sender.flow), 10_340)
  })
})
