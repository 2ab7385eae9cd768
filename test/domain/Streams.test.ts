/** The machines of a stream wired together as the actors do it, over a link that a seed makes lossy. */
import { assert, describe, it } from "@effect/vitest"
import * as FlowWindow from "../../src/domain/FlowWindow.ts"
import * as Protocol from "../../src/domain/Protocol.ts"
import * as ReceiveStream from "../../src/domain/ReceiveStream.ts"
import * as SendStream from "../../src/domain/SendStream.ts"
import * as NetworkFaults from "../../src/runtime/NetworkFaults.ts"

const protocol = Protocol.make()

type Message =
  | { readonly tag: "data"; readonly number: number; readonly body: Uint8Array; readonly asks: boolean }
  | { readonly tag: "pulse"; readonly lowest: number; readonly highest: number }
  | { readonly tag: "ack"; readonly received: number; readonly settled: number; readonly credit: number }
  | { readonly tag: "nack"; readonly ranges: ReadonlyArray<SendStream.Range> }

interface Receiver {
  readonly id: string
  readonly stream: ReceiveStream.ReceiveStream
  /** The bytes that came with each number. */
  readonly folded: Map<number, Uint8Array>
  credit: number
  abandoned: number
  /** How many times the link lost data on its way here. */
  losses: number
  nacks: number
  numbersAsked: number
}

interface Options {
  readonly seed: number
  readonly receivers?: number
  readonly credit?: number
  readonly retainBytesMax?: number
  readonly faults?: Partial<NetworkFaults.Faults>
  /** What the link takes besides. */
  readonly takes?: (message: Message, receiver: number, now: number) => boolean
}

class Link {
  readonly random: () => number
  readonly options: Options
  readonly faults: NetworkFaults.Faults
  readonly send: SendStream.SendStream
  readonly flow: FlowWindow.FlowWindow
  readonly receivers: ReadonlyArray<Receiver>
  /** On their way: by time of arrival. */
  readonly under: Array<
    { readonly at: number; readonly toSender: boolean; readonly who: Receiver; readonly message: Message }
  > = []
  readonly sent = { data: 0, again: 0, pulse: 0, ack: 0, nack: 0 }
  /** Who no longer counted, and when. */
  readonly laggards: Array<{ readonly id: string; readonly at: number }> = []
  now = 0
  unsent = 0
  pulseDue = Infinity
  pulseInterval = 0
  #lostLast = new Set<string>()

  constructor(options: Options) {
    this.options = options
    this.random = NetworkFaults.mulberry32(options.seed)
    this.faults = NetworkFaults.make(options.faults ?? {})
    this.send = SendStream.make({ retainBytesMax: options.retainBytesMax ?? 64 * 1_048_576 })
    this.flow = FlowWindow.make()
    this.receivers = Array.from({ length: options.receivers ?? 1 }, (_, index) => ({
      id: String(index).repeat(32),
      stream: ReceiveStream.make({ first: 1, random: this.random }),
      folded: new Map(),
      credit: options.credit ?? 64,
      abandoned: 0,
      losses: 0,
      nacks: 0,
      numbersAsked: 0
    }))
    // They have met: the PROOF names the first number, and is acknowledged.
    for (const { credit, id } of this.receivers) {
      FlowWindow.onAck(this.flow, id, { received: 0, settled: 0, credit }, 0, 1, 0)
    }
  }

  #post(toSender: boolean, who: Receiver, message: Message): void {
    const index = this.receivers.indexOf(who)
    const way = `${index} ${toSender}`
    for (let copies = NetworkFaults.happens(this.faults.duplication, this.random) ? 2 : 1; copies > 0; copies--) {
      const lost = NetworkFaults.loses(this.faults, this.#lostLast.has(way), this.random)
      if (lost) this.#lostLast.add(way)
      else this.#lostLast.delete(way)
      if (lost || this.options.takes?.(message, index, this.now) === true) {
        if (message.tag === "data") who.losses++
        continue
      }
      const at = this.now + NetworkFaults.delayMillis(this.faults, this.random)
      let place = this.under.length
      while (place > 0 && this.under[place - 1].at > at) place--
      this.under.splice(place, 0, { at, toSender, who, message })
    }
  }

  #multicast(message: Message): void {
    for (const who of this.receivers) this.#post(false, who, message)
  }

  #pulse(): void {
    this.sent.pulse++
    this.#multicast({ tag: "pulse", lowest: this.send.lowest, highest: this.send.highest })
  }

  #atSender(who: Receiver, message: Message): void {
    const { flow, now, send } = this
    if (message.tag === "ack") {
      assert.isAtMost(message.received, send.highest, "acknowledged before it was sent")
      FlowWindow.onAck(flow, who.id, message, now, send.lowest, send.highest)
    } else if (message.tag === "nack") {
      FlowWindow.onLoss(flow, who.id, now)
      for (const number of SendStream.resend(send, message.ranges, now, 256)) {
        this.sent.again++
        const body = SendStream.body(send, number) ?? assert.fail(`number ${number} is not kept`)
        this.#post(false, who, { tag: "data", number, body: body.slice(), asks: false })
      }
      if (message.ranges.some(({ from }) => from < send.lowest)) this.#pulse()
    }
  }

  #atReceiver(who: Receiver, message: Message): void {
    if (message.tag === "data") {
      const outcome = ReceiveStream.receive(who.stream, message.number, this.now)
      if (message.asks) ReceiveStream.ackNow(who.stream)
      const known = who.folded.get(message.number)
      if (known !== undefined) {
        assert.strictEqual(outcome, "duplicate")
        assert.deepStrictEqual(message.body, known, "a number came with other bytes")
      } else if (outcome === "new") {
        who.folded.set(message.number, message.body)
        ReceiveStream.settle(who.stream, message.number, this.now)
      }
    } else if (message.tag === "pulse") {
      ReceiveStream.announce(who.stream, message.lowest, message.highest, this.now)
      ReceiveStream.ackNow(who.stream)
    }
  }

  #report(who: Receiver): void {
    if (ReceiveStream.nextDue(who.stream) > this.now) return
    ReceiveStream.setAckEvery(who.stream, Math.max(1, Math.min(protocol.ackEveryMax, who.credit >> 2)))
    const due = ReceiveStream.onDue(who.stream, this.now)
    who.abandoned += due.abandoned
    if (due.nack !== undefined) {
      this.sent.nack++
      who.nacks++
      for (const { from, to } of due.nack) who.numbersAsked += to - from + 1
      this.#post(true, who, { tag: "nack", ranges: due.nack })
    }
    if (due.ack) {
      this.sent.ack++
      const [received, settled] = [ReceiveStream.received(who.stream), ReceiveStream.settled(who.stream)]
      this.#post(true, who, { tag: "ack", received, settled, credit: who.credit })
    }
  }

  #turn(): void {
    const { flow, now, send } = this
    let budget = Math.min(32, this.unsent, FlowWindow.available(flow, send.highest))
    for (; budget > 0; budget--, this.unsent--) {
      const body = Uint8Array.from(
        { length: 1 + Math.floor(this.random() * 40) },
        () => Math.floor(this.random() * 256)
      )
      const number = SendStream.append(send, body)
      this.sent.data++
      this.#multicast({ tag: "data", number, body: body.slice(), asks: budget === 1 })
      FlowWindow.sent(flow, number, now)
      this.pulseInterval = protocol.tailPulseMillis
      this.pulseDue = now + this.pulseInterval
    }
    for (const id of FlowWindow.due(flow, now)) this.laggards.push({ id, at: now })
    if (this.unsent === 0 || FlowWindow.available(flow, send.highest) > 0) FlowWindow.rest(flow)
    else if (FlowWindow.probe(flow, now)) {
      this.#pulse()
      return
    }
    if (now < this.pulseDue) return
    this.pulseDue = Infinity
    // Who lags hears of it from the heartbeat, which has no end: here it ends when nobody lags.
    if (FlowWindow.settledByAll(flow) >= send.highest) return
    this.#pulse()
    this.pulseInterval = Math.min(2 * this.pulseInterval, protocol.heartbeatMillis)
    this.pulseDue = now + this.pulseInterval
  }

  #nextDue(): number {
    const sendable = this.unsent > 0 && FlowWindow.available(this.flow, this.send.highest) > 0
    return Math.min(
      sendable ? this.now : Infinity,
      this.under[0]?.at ?? Infinity,
      this.pulseDue,
      FlowWindow.nextDue(this.flow),
      ...this.receivers.map(({ stream }) => ReceiveStream.nextDue(stream))
    )
  }

  /** Lets time pass until nothing is due, or the limit; calls `look` after every turn. */
  run(until: number, look: () => void = () => {}): void {
    let turns = 0
    for (let next = this.#nextDue(); next < Infinity && next <= until; next = this.#nextDue()) {
      assert.isBelow(++turns, 100_000, `seed ${this.options.seed}: it never rests`)
      this.now = Math.max(this.now, next)
      while (this.under.length > 0 && this.under[0].at <= this.now) {
        const { message, toSender, who } = this.under.shift()!
        if (toSender) this.#atSender(who, message)
        else this.#atReceiver(who, message)
      }
      for (const who of this.receivers) this.#report(who)
      this.#turn()
      look()
    }
    // So that the next run begins there, unless nothing is due ever again.
    if (until < Infinity) this.now = until
  }
}

/** Everybody has everything, exactly once, and everybody knows. */
const complete = (link: Link, total: number, only = link.receivers): void => {
  const where = `seed ${link.options.seed}`
  for (const { folded, id, stream } of only) {
    assert.strictEqual(folded.size, total, where)
    for (let number = 1; number <= total; number++) {
      assert.deepStrictEqual(folded.get(number), SendStream.body(link.send, number), where)
    }
    assert.strictEqual(ReceiveStream.settled(stream), total, where)
    assert.strictEqual(FlowWindow.settledOf(link.flow, id), total, where)
  }
}

describe("a stream", () => {
  it("arrives exactly once at everybody, with the same bytes, over whatever the link does, and then is silent", () => {
    let [losses, again] = [0, 0]
    for (let seed = 1; seed <= 60; seed++) {
      const random = NetworkFaults.mulberry32(1_000 + seed)
      const loss = random() * 0.3
      const burst = random() < 0.5 ? 1 : 1 + random() * 5
      const link = new Link({
        seed,
        receivers: 1 + seed % 3,
        credit: [1, 5, 64, 200][seed % 4],
        faults: {
          loss,
          lossBurstDatagrams: burst,
          duplication: random() * 0.3,
          delay: { minMillis: random() * 2, maxMillis: 2 + random() * 60 }
        }
      })
      for (let times = 0; times < 4; times++) {
        link.unsent += 60
        link.run(link.now + random() * 1_000)
      }
      link.run(Infinity)
      complete(link, 240)
      assert.strictEqual(link.sent.data, 240)
      assert.deepStrictEqual(link.receivers.map(({ abandoned }) => abandoned), link.receivers.map(() => 0))
      losses += link.receivers.reduce((sum, receiver) => sum + receiver.losses, 0)
      again += link.sent.again
    }
    assert.isAbove(losses, 3_000)
    assert.isAbove(again, 3_000)
  })

  it("over a good link is asked for nothing, sent again nothing, and announced at most once", () => {
    for (const receivers of [1, 3]) {
      const link = new Link({
        seed: 1,
        receivers,
        faults: { duplication: 0.1, delay: { minMillis: 0, maxMillis: 0.5 } }
      })
      link.unsent = 2_000
      link.run(Infinity)
      complete(link, 2_000)
      assert.strictEqual(link.sent.nack, 0)
      assert.strictEqual(link.sent.again, 0)
      assert.isAtMost(link.sent.pulse, 1)
      // A datagram in sixteen is acknowledged, and the last of each window.
      assert.isAtMost(link.sent.ack, receivers * 2_000 / 8)
    }
  })

  it("is asked for a bounded number of times for each datagram that is lost, whatever the size of the cluster", () => {
    for (const receivers of [1, 2, 6]) {
      for (let seed = 1; seed <= 8; seed++) {
        const loss = 0.01 * seed
        const run = (minMillis: number): ReadonlyArray<Receiver> => {
          const link = new Link({ seed, receivers, faults: { loss, delay: { minMillis, maxMillis: 1 } } })
          link.unsent = 600
          link.run(Infinity)
          complete(link, 600)
          return link.receivers
        }
        // One NACK asks for all that is missing; some are lost themselves.
        for (const { losses, nacks } of run(0)) assert.isAtMost(nacks, losses + 3, `seed ${seed}`)
        for (const { losses, nacks, numbersAsked } of run(1)) {
          assert.isAtMost(nacks, losses + 3, `seed ${seed}`)
          // In order nothing is asked for that is only late.
          assert.isAtMost(numbersAsked, 2 * losses + 3, `seed ${seed}`)
        }
      }
    }
  })

  it("is sent within the smallest credit, and never less than four at a time where it allows", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const link = new Link({ seed, receivers: 3, faults: { loss: 0.1, delay: { minMillis: 0, maxMillis: 5 } } })
      const random = NetworkFaults.mulberry32(seed)
      let before = 0
      link.unsent = 300
      link.run(Infinity, () => {
        // Credits change all the time; the sender knows those that it was told.
        for (const receiver of link.receivers) if (random() < 0.1) receiver.credit = 1 + Math.floor(random() * 60)
        const counted = [...link.flow.receivers.values()].filter(({ lagging }) => !lagging)
        const credit = Math.min(...counted.map((receiver) => receiver.credit))
        const window = FlowWindow.windowOf(link.flow)
        assert.isAtMost(window, credit)
        assert.isAtLeast(window, Math.min(4, credit))
        if (link.send.highest > before) {
          const slowest = Math.min(...counted.map(({ received }) => received))
          assert.isAtMost(link.send.highest - slowest, credit, `seed ${seed}`)
        }
        before = link.send.highest
      })
      complete(link, 300)
    }
  })

  it("whose last datagrams are lost is found out through the PULSE after 20 ms", () => {
    for (const lost of [1, 3]) {
      for (let seed = 1; seed <= 10; seed++) {
        const link = new Link({
          seed,
          receivers: 2,
          faults: { delay: { minMillis: 1, maxMillis: 1 } },
          takes: (message, receiver, now) =>
            message.tag === "data" && receiver === 1 && message.number > 10 - lost && now < 5
        })
        link.unsent = 10
        const done: Array<number> = []
        link.run(Infinity, () => {
          if (done.length === 0 && link.receivers[1].folded.size === 10) done.push(link.now)
        })
        complete(link, 10)
        // PULSE at 20, there at 21, asked for 1 to 10 ms later, there 2 ms later.
        assert.isAtLeast(done[0], 24)
        assert.isAtMost(done[0], 34)
        assert.strictEqual(link.receivers[1].nacks, 1)
      }
    }
  })

  it("whose PULSEs are lost too is announced again, doubling to the heartbeat", () => {
    const pulses: Array<number> = []
    const link = new Link({
      seed: 1,
      takes: (message, _, now) => {
        if (message.tag === "pulse") pulses.push(now)
        return now < 5_000 && message.tag !== "ack"
      }
    })
    link.unsent = 1
    link.run(Infinity)
    complete(link, 1)
    assert.deepStrictEqual(pulses.slice(0, 8), [20, 60, 140, 300, 620, 1_260, 2_260, 3_260])
  })

  it("goes on when all acknowledgements of a full window were lost, for however long", () => {
    for (const silence of [5, 100, 450, 2_000, 9_000]) {
      for (const credit of [1, 16]) {
        const link = new Link({
          seed: silence,
          credit,
          faults: { delay: { minMillis: 0.5, maxMillis: 0.5 } },
          takes: (message, _, now) => message.tag === "ack" && now < silence
        })
        link.unsent = 100
        link.run(silence)
        assert.strictEqual(link.send.highest, credit)
        // The next question comes within a second, and opens it.
        link.run(silence + 1_001)
        assert.isAbove(link.send.highest, credit)
        link.run(Infinity)
        complete(link, 100)
      }
    }
  })

  it("goes on for the others 500 ms after one has died, and the dead one is silent for nobody else", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const diedAt = seed
      const link = new Link({
        seed,
        receivers: 3,
        faults: { loss: 0.05, delay: { minMillis: 0, maxMillis: 2 } },
        takes: (_, receiver, now) => receiver === 0 && now >= diedAt
      })
      link.unsent = 2_000
      link.run(diedAt + 3_000)
      complete(link, 2_000, link.receivers.slice(1))
      assert.deepStrictEqual(link.laggards.map(({ id }) => id), [link.receivers[0].id], `seed ${seed}`)
      assert.isAtLeast(link.laggards[0].at, 500)
      assert.isAtMost(link.laggards[0].at, diedAt + 510)
    }
  })

  it("catches up with one that was away, which then counts again", () => {
    const link = new Link({
      seed: 3,
      receivers: 2,
      faults: { delay: { minMillis: 0, maxMillis: 2 } },
      takes: (_, receiver, now) => receiver === 0 && now >= 10 && now < 4_000
    })
    link.unsent = 500
    link.run(3_999)
    assert.deepStrictEqual(FlowWindow.lagging(link.flow), [link.receivers[0].id])
    link.unsent = 500
    link.run(Infinity)
    complete(link, 1_000)
    assert.deepStrictEqual(FlowWindow.lagging(link.flow), [])
  })

  it("of which too little is kept is given up to repair, and acknowledged only after it", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const link = new Link({
        seed,
        receivers: 2,
        retainBytesMax: 100,
        faults: { loss: 0.1, delay: { minMillis: 0, maxMillis: 3 } }
      })
      link.unsent = 500
      link.run(20_000, () => {
        for (const { folded, id, stream } of link.receivers) {
          const settled = ReceiveStream.settled(stream)
          for (let number = settled; number > 0 && number > settled - 5; number--) {
            assert.isTrue(folded.has(number), `seed ${seed}: ${number} is settled, but never came`)
          }
          assert.isAtMost(FlowWindow.settledOf(link.flow, id) ?? 0, settled)
        }
      })
      assert.strictEqual(link.unsent, 0, `seed ${seed}: what is lost for ever closes the window`)
      for (const who of link.receivers) {
        assert.isAbove(who.abandoned, 0, `seed ${seed}`)
        assert.strictEqual(who.folded.size + who.abandoned, 500, `seed ${seed}`)
        assert.strictEqual(ReceiveStream.received(who.stream), 500)
        assert.isBelow(ReceiveStream.settled(who.stream), 500)
        ReceiveStream.repaired(who.stream, ReceiveStream.highest(who.stream))
      }
      link.run(Infinity)
      for (const { id } of link.receivers) assert.strictEqual(FlowWindow.settledOf(link.flow, id), 500)
      assert.deepStrictEqual(FlowWindow.lagging(link.flow), [])
    }
  })
})

describe("the machines' own defaults", () => {
  it("are those of the table of the protocol", () => {
    const receive = ReceiveStream.make({ first: 1, random: () => 0 }).options
    const flow = FlowWindow.make().options
    const send = SendStream.make({ retainBytesMax: 1 })
    for (
      const [name, value] of [
        ["nackDelayMillisMin", receive.nackDelayMillisMin],
        ["nackDelayMillisMax", receive.nackDelayMillisMax],
        ["nackIntervalMillis", receive.nackIntervalMillis],
        ["nackIntervalMillisMax", receive.nackIntervalMillisMax],
        ["abandonMillis", receive.abandonMillis],
        ["ackDelayMillis", receive.ackDelayMillis],
        ["windowInitial", flow.windowInitial],
        ["windowMin", flow.windowMin],
        ["laggardMillis", flow.laggardMillis],
        ["resendIntervalMillis", send.resendIntervalMillis]
      ] as const
    ) {
      assert.strictEqual(value, Protocol.limits[name].default, name)
    }
  })
})
