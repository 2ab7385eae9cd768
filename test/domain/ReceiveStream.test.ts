/** One sender's numbers at one receiver, held against plain sets; and when it asks, gives up and acknowledges. */
import { assert, describe, it } from "@effect/vitest"
import * as Protocol from "../../src/domain/Protocol.ts"
import * as ReceiveStream from "../../src/domain/ReceiveStream.ts"
import type { Range } from "../../src/domain/SendStream.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"

const make = (options: Partial<ReceiveStream.Options> = {}): ReceiveStream.ReceiveStream =>
  ReceiveStream.make({ first: 1, random: () => 0.5, ...options })

/** Receives and folds. */
const take = (stream: ReceiveStream.ReceiveStream, number: number, now: number): void => {
  if (ReceiveStream.receive(stream, number, now) === "new") ReceiveStream.settle(stream, number, now)
}

const numbersOf = (ranges: ReadonlyArray<Range> | undefined): ReadonlyArray<number> =>
  (ranges ?? []).flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, index) => from + index))

/** Lets time pass until the limit, and answers each thing due with when it was. */
const run = (
  stream: ReceiveStream.ReceiveStream,
  until: number
): ReadonlyArray<{ readonly at: number } & ReceiveStream.Due> => {
  const happened: Array<{ readonly at: number } & ReceiveStream.Due> = []
  for (let at = ReceiveStream.nextDue(stream); at <= until; at = ReceiveStream.nextDue(stream)) {
    assert.isBelow(happened.length, 10_000, "something is due for ever")
    happened.push({ at, ...ReceiveStream.onDue(stream, at) })
  }
  return happened
}

type Fate = "arrived" | "settled" | "abandoned" | "repaired"

/** What each number came to. */
class Model {
  readonly first: number
  readonly spanMax: number
  readonly fates = new Map<number, Fate>()
  highest: number

  constructor(first: number, spanMax: number) {
    this.first = first
    this.spanMax = spanMax
    this.highest = first - 1
  }

  #upTo(passes: (fate: Fate) => boolean): number {
    for (let number = this.first;; number++) {
      const fate = this.fates.get(number)
      if (fate === undefined || !passes(fate)) return number - 1
    }
  }

  /** All up to here arrived or were given up. */
  received(): number {
    return this.#upTo(() => true)
  }

  /** All up to here is folded here, or was read from the sender since. */
  settled(): number {
    return this.#upTo((fate) => fate === "settled" || fate === "repaired")
  }

  missing(): ReadonlyArray<number> {
    const numbers: Array<number> = []
    for (let number = this.first; number <= this.highest; number++) {
      if (!this.fates.has(number)) numbers.push(number)
    }
    return numbers
  }

  /** What did not arrive up to here never will; what is not folded neither, when all is given up. */
  abandonUpTo(upTo: number, all: boolean): void {
    for (let number = this.first; number <= upTo; number++) {
      const fate = this.fates.get(number)
      if (fate === undefined || (all && fate === "arrived")) this.fates.set(number, "abandoned")
    }
  }

  repaired(upTo: number): void {
    for (const [number, fate] of this.fates) {
      if (fate === "abandoned" && number <= upTo) this.fates.set(number, "repaired")
    }
  }
}

describe("what arrived, is missing and is settled", () => {
  it("is what sets of numbers say, over random arrivals, refusals, announcements and repairs", () => {
    let [abandoned, repairedAll] = [0, 0]
    for (let seed = 1; seed <= 70; seed++) {
      const random = mulberry32(seed)
      const below = (limit: number): number => Math.floor(random() * limit)
      const spanMax = 1_024
      const model = new Model(1 + below(5), spanMax)
      const stream = make({ first: model.first, spanMax, random })
      let now = 0
      for (let step = 0; step < 200; step++) {
        now += below(3)
        const chance = random()
        const near = Math.max(0, model.received() - 3 + below(12))
        if (chance < 0.5) {
          const outcome = ReceiveStream.receive(stream, near, now)
          const expected = near < model.first ? "old" : model.fates.has(near) ? "duplicate" : "new"
          assert.strictEqual(outcome, expected, `seed ${seed}, number ${near}`)
          if (outcome === "new") {
            model.fates.set(near, "arrived")
            model.highest = Math.max(model.highest, near)
          }
        } else if (chance < 0.85) {
          // Folding ends in any order; what did not arrive cannot be folded.
          const number = model.settled() + 1 + below(6)
          ReceiveStream.settle(stream, number, now)
          if (model.fates.get(number) === "arrived") model.fates.set(number, "settled")
        } else if (chance < 0.88) {
          ReceiveStream.refuse(stream, near)
          if (model.fates.get(near) === "arrived") model.fates.set(near, "abandoned")
        } else if (chance < 0.91) {
          const lowest = Math.max(1, near - 2)
          const highest = Math.max(lowest - 1, near + below(4))
          ReceiveStream.announce(stream, lowest, highest, now)
          model.highest = Math.max(model.highest, highest)
          model.abandonUpTo(Math.min(lowest - 1, model.highest), false)
        } else if (chance < 0.95) {
          const upTo = random() < 0.5 ? model.highest : Math.max(0, near - 2)
          ReceiveStream.repaired(stream, upTo)
          model.repaired(upTo)
        } else {
          const due = ReceiveStream.onDue(stream, now)
          abandoned += due.abandoned
          assert.deepStrictEqual(numbersOf(due.nack), due.nack === undefined ? [] : model.missing(), `seed ${seed}`)
        }
        assert.strictEqual(ReceiveStream.received(stream), model.received(), `seed ${seed}`)
        assert.strictEqual(ReceiveStream.highest(stream), model.highest, `seed ${seed}`)
        assert.strictEqual(ReceiveStream.missing(stream), model.missing().length > 0, `seed ${seed}`)
        // A repair that does not cover all that was given up may be taken for none at all, never the reverse.
        assert.isAtMost(ReceiveStream.settled(stream), model.settled(), `seed ${seed}`)
        if (!ReceiveStream.abandoned(stream)) {
          repairedAll++
          assert.strictEqual(ReceiveStream.settled(stream), model.settled(), `seed ${seed}`)
        }
      }
      ReceiveStream.repaired(stream, model.highest)
      model.repaired(model.highest)
      assert.strictEqual(ReceiveStream.settled(stream), model.settled(), `seed ${seed}`)
      assert.isFalse(ReceiveStream.abandoned(stream))
    }
    assert.isAbove(abandoned, 50)
    assert.isAbove(repairedAll, 500)
  })

  it("takes bounded memory and stays truthful, however far numbers jump ahead", () => {
    let jumps = 0
    for (let seed = 1; seed <= 70; seed++) {
      const random = mulberry32(seed)
      const below = (limit: number): number => Math.floor(random() * limit)
      const spanMax = 16
      const model = new Model(1, spanMax)
      const stream = make({ spanMax, random })
      const reach = (highest: number): void => {
        if (highest <= model.highest) return
        // What the ring cannot hold is given up, but for the newest number.
        if (highest - ReceiveStream.settled(stream) >= spanMax && highest - stream.settled >= spanMax) {
          model.abandonUpTo(highest - 1, true)
          jumps++
        }
        model.highest = highest
      }
      for (let step = 0; step < 300; step++) {
        const chance = random()
        const number = Math.max(1, model.received() - 2 + (random() < 0.05 ? below(60) : below(8)))
        if (chance < 0.55) {
          reach(number)
          const outcome = ReceiveStream.receive(stream, number, step)
          assert.strictEqual(outcome, model.fates.has(number) ? "duplicate" : "new", `seed ${seed}, number ${number}`)
          if (outcome === "new") model.fates.set(number, "arrived")
        } else if (chance < 0.9) {
          const settled = model.received() - below(5)
          ReceiveStream.settle(stream, settled, step)
          if (model.fates.get(settled) === "arrived") model.fates.set(settled, "settled")
        } else if (chance < 0.95) {
          reach(number)
          ReceiveStream.announce(stream, 1, number, step)
        } else {
          ReceiveStream.repaired(stream, model.highest)
          model.repaired(model.highest)
        }
        assert.strictEqual(stream.marks.length, spanMax)
        assert.strictEqual(ReceiveStream.highest(stream), model.highest, `seed ${seed}`)
        assert.strictEqual(ReceiveStream.received(stream), model.received(), `seed ${seed}`)
        assert.isAtMost(ReceiveStream.settled(stream), model.settled(), `seed ${seed}, step ${step}`)
        if (!ReceiveStream.abandoned(stream)) {
          assert.strictEqual(ReceiveStream.settled(stream), model.settled(), `seed ${seed}`)
        }
      }
    }
    assert.isAbove(jumps, 50)
  })

  it("takes one step for a hostile announcement, whatever it says", () => {
    const stream = make()
    take(stream, 1, 0)
    for (const highest of [2 ** 20, 2 ** 33 + 7, 2 ** 46 - 1]) {
      ReceiveStream.announce(stream, highest - 5, highest, 0)
      assert.isAtMost(stream.marks.length, 65_536)
      assert.strictEqual(ReceiveStream.highest(stream), highest)
      assert.isTrue(ReceiveStream.abandoned(stream))
      assert.strictEqual(ReceiveStream.settled(stream), 1)
    }
    ReceiveStream.announce(stream, Number.MAX_SAFE_INTEGER, 5, 0)
    take(stream, 2 ** 46 - 1, 1)
    ReceiveStream.repaired(stream, 2 ** 46 - 1)
    assert.strictEqual(ReceiveStream.settled(stream), 2 ** 46 - 1)
  })

  it("tells of no number that the sender has not sent, when the newest does not fit", () => {
    // All arrive in order, but the first was refused and its repair takes long.
    const stream = make({ spanMax: 16 })
    for (let number = 1; number <= 40; number++) {
      const outcome = ReceiveStream.receive(stream, number, 0)
      assert.strictEqual(outcome, "new", `number ${number}`)
      if (number === 1) ReceiveStream.refuse(stream, number)
      else ReceiveStream.settle(stream, number, 0)
      assert.strictEqual(ReceiveStream.highest(stream), number)
      assert.strictEqual(ReceiveStream.received(stream), number)
      assert.strictEqual(ReceiveStream.settled(stream), 0)
    }
    assert.isFalse(ReceiveStream.missing(stream))
    ReceiveStream.repaired(stream, 40)
    assert.strictEqual(ReceiveStream.settled(stream), 40)
  })

  it("takes little while little is under way, and gives back what it took", () => {
    const stream = make()
    for (let number = 1; number <= 10_000; number++) take(stream, number, 0)
    assert.isAtMost(stream.marks.length, 64)
    // Number 10,001 is missing, and much comes behind it.
    for (let number = 10_002; number <= 20_000; number++) take(stream, number, 0)
    assert.isAbove(stream.marks.length, 9_999)
    assert.strictEqual(ReceiveStream.received(stream), 10_000)
    take(stream, 10_001, 0)
    assert.strictEqual(ReceiveStream.settled(stream), 20_000)
    assert.isAtMost(stream.marks.length, 64)
  })

  it("counts each number that is given up once", () => {
    const stream = make()
    for (const number of [1, 4, 9]) take(stream, number, 0)
    ReceiveStream.announce(stream, 8, 9, 0)
    ReceiveStream.announce(stream, 8, 9, 0)
    assert.strictEqual(ReceiveStream.nextDue(stream), -Infinity)
    assert.strictEqual(ReceiveStream.onDue(stream, 0).abandoned, 5)
    assert.strictEqual(ReceiveStream.onDue(stream, 0).abandoned, 0)
    assert.strictEqual(ReceiveStream.received(stream), 7)
  })
})

describe("asking for what is missing", () => {
  it("waits a random 1 to 10 ms for reordering, and does not ask when the number comes meanwhile", () => {
    const random = mulberry32(3)
    const waits: Array<number> = []
    for (let round = 0; round < 500; round++) {
      const stream = make({ random })
      take(stream, 1, 100)
      take(stream, 3, 100)
      const [asked] = run(stream, 200).filter(({ nack }) => nack !== undefined)
      assert.deepStrictEqual(asked.nack, [{ from: 2, to: 2 }])
      waits.push(asked.at - 100)

      const reordered = make({ random })
      take(reordered, 1, 100)
      take(reordered, 3, 100)
      take(reordered, 2, 100.9)
      assert.deepStrictEqual(run(reordered, 20_000).filter(({ nack }) => nack !== undefined), [])
    }
    assert.isAtLeast(Math.min(...waits), 1)
    assert.isAtMost(Math.max(...waits), 10)
    assert.isBelow(Math.min(...waits), 1.5)
    assert.isAbove(Math.max(...waits), 9.5)
  })

  it("asks again after 20 ms, doubling to 1 s, and gives up what is missing for 10 s", () => {
    const stream = make()
    take(stream, 1, 0)
    take(stream, 3, 0)
    const happened = run(stream, 60_000)
    const asked = happened.filter(({ nack }) => nack !== undefined)
    assert.deepStrictEqual(
      asked.slice(1, 9).map(({ at }, index) => at - asked[index].at),
      [20, 40, 80, 160, 320, 640, 1_000, 1_000]
    )
    for (const { nack } of asked) assert.deepStrictEqual(nack, [{ from: 2, to: 2 }])
    const [gaveUp, ...more] = happened.filter(({ abandoned }) => abandoned > 0)
    assert.deepStrictEqual(more, [])
    assert.isAtLeast(gaveUp.at, 10_000)
    assert.isBelow(gaveUp.at, 11_000)
    assert.isTrue(asked.every(({ at }) => at < 10_000))
    assert.strictEqual(ReceiveStream.received(stream), 3)
    assert.strictEqual(ReceiveStream.settled(stream), 1)
    assert.strictEqual(ReceiveStream.nextDue(stream), Infinity)
  })

  it("gives up all that is missing for as long and was asked for, not one gap after the other", () => {
    const stream = make()
    for (const number of [1, 3, 5, 7]) take(stream, number, 0)
    run(stream, 5_000)
    // Known only now: it has its own time.
    take(stream, 9, 5_000)
    const gaveUp = run(stream, 60_000).filter(({ abandoned }) => abandoned > 0)
    assert.deepStrictEqual(gaveUp.map(({ abandoned }) => abandoned), [3, 1])
    assert.isBelow(gaveUp[0].at, 11_000)
  })

  it("begins anew with short pauses for the next gap", () => {
    const stream = make()
    take(stream, 2, 0)
    run(stream, 3_000)
    take(stream, 1, 3_000)
    take(stream, 4, 5_000)
    const asked = run(stream, 5_100).filter(({ nack }) => nack !== undefined)
    assert.isAtMost(asked[0].at, 5_010)
    assert.deepStrictEqual(asked[0].nack, [{ from: 3, to: 3 }])
    assert.strictEqual(asked[1].at - asked[0].at, 20)
  })

  it("gives up at once what lies below the lowest number that the sender keeps", () => {
    const stream = make()
    take(stream, 1, 0)
    take(stream, 10, 0)
    ReceiveStream.announce(stream, 6, 10, 1)
    assert.strictEqual(ReceiveStream.onDue(stream, 1).abandoned, 4)
    assert.strictEqual(ReceiveStream.received(stream), 5)
    assert.strictEqual(ReceiveStream.settled(stream), 1)
    // What is kept is still asked for.
    const [asked] = run(stream, 12).filter(({ nack }) => nack !== undefined)
    assert.deepStrictEqual(asked.nack, [{ from: 6, to: 9 }])
  })

  it("finds a lost tail through the announced highest number", () => {
    const stream = make()
    take(stream, 1, 0)
    run(stream, 100)
    assert.strictEqual(ReceiveStream.nextDue(stream), Infinity)
    ReceiveStream.announce(stream, 1, 3, 100)
    const [asked] = run(stream, 111).filter(({ nack }) => nack !== undefined)
    assert.deepStrictEqual(asked.nack, [{ from: 2, to: 3 }])
  })

  it("finds everything lost of a stream of which nothing arrived", () => {
    const stream = make({ first: 5 })
    ReceiveStream.announce(stream, 1, 7, 0)
    const [asked] = run(stream, 11).filter(({ nack }) => nack !== undefined)
    assert.deepStrictEqual(asked.nack, [{ from: 5, to: 7 }])
  })

  it("counts a lost number once, however often it is asked for", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = mulberry32(seed)
      const stream = make({ random })
      let lost = 0
      let now = 0
      const dropped = new Set<number>()
      for (let number = 1; number <= 200; number++) {
        now += random() * 5
        if (random() < 0.2 && number < 200) dropped.add(number)
        else take(stream, number, now)
        for (const due of run(stream, now)) lost += due.lost
      }
      for (const due of run(stream, now + 2_000)) lost += due.lost
      assert.strictEqual(lost, dropped.size, `seed ${seed}`)
    }
  })

  it("fits one message, and comes to the rest when the first part has arrived", () => {
    const stream = make()
    for (let number = 2; number <= 1_000; number += 2) take(stream, number, 0)
    const [asked] = run(stream, 11).filter(({ nack }) => nack !== undefined)
    assert.strictEqual(asked.nack?.length, 64)
    let now = 20
    for (let turn = 0; turn < 20 && ReceiveStream.missing(stream); turn++) {
      for (const { nack } of run(stream, now)) for (const number of numbersOf(nack)) take(stream, number, now)
      now += 20
    }
    assert.strictEqual(ReceiveStream.settled(stream), 1_000)
  })
})

describe("acknowledging", () => {
  it("is due with every so many datagrams, and 5 ms after the first one when fewer came", () => {
    for (const every of [1, 4, 16, 64]) {
      const stream = make()
      ReceiveStream.ackNow(stream)
      ReceiveStream.onDue(stream, 99)
      ReceiveStream.setAckEvery(stream, every)
      for (let number = 1; number < every; number++) {
        take(stream, number, 100 + number / 1_000)
        assert.isAtLeast(ReceiveStream.nextDue(stream), 105, `${number} of ${every}`)
      }
      take(stream, every, 101)
      assert.isAtMost(ReceiveStream.nextDue(stream), 101, `every ${every}`)
      assert.isTrue(ReceiveStream.onDue(stream, 101).ack)
      assert.strictEqual(ReceiveStream.nextDue(stream), Infinity)
      take(stream, every + 1, 102)
      if (every === 1) continue
      assert.strictEqual(ReceiveStream.nextDue(stream), 107)
      assert.isFalse(ReceiveStream.onDue(stream, 106.9).ack)
      assert.isTrue(ReceiveStream.onDue(stream, 107).ack)
    }
  })

  it("is due at once for what is folded when nothing was acknowledged for 5 ms, but not when many receivers share the time", () => {
    const stream = make()
    ReceiveStream.receive(stream, 1, 100)
    assert.isFalse(ReceiveStream.onDue(stream, 100).ack)
    ReceiveStream.settle(stream, 1, 100)
    assert.isTrue(ReceiveStream.onDue(stream, 100).ack)
    take(stream, 2, 104.9)
    assert.isFalse(ReceiveStream.onDue(stream, 104.9).ack)
    assert.isTrue(ReceiveStream.onDue(stream, 109.9).ack)
    take(stream, 3, 114.9)
    assert.isTrue(ReceiveStream.onDue(stream, 114.9).ack)
    ReceiveStream.setAckEvery(stream, 64, 20)
    take(stream, 4, 500)
    assert.isFalse(ReceiveStream.onDue(stream, 500).ack)
    assert.isTrue(ReceiveStream.onDue(stream, 525).ack)
  })

  it("is due at once when asked for, also with nothing new, and once only", () => {
    const stream = make()
    assert.strictEqual(ReceiveStream.nextDue(stream), Infinity)
    ReceiveStream.ackNow(stream)
    assert.isAtMost(ReceiveStream.nextDue(stream), 0)
    assert.isTrue(ReceiveStream.onDue(stream, 0).ack)
    assert.isFalse(ReceiveStream.onDue(stream, 0).ack)
    assert.strictEqual(ReceiveStream.nextDue(stream), Infinity)
  })

  it("follows when folding ends after the last acknowledgement was sent", () => {
    const stream = make()
    ReceiveStream.receive(stream, 1, 0)
    assert.isTrue(ReceiveStream.onDue(stream, 5).ack)
    assert.strictEqual(ReceiveStream.settled(stream), 0)
    assert.strictEqual(ReceiveStream.nextDue(stream), Infinity)
    ReceiveStream.settle(stream, 1, 7)
    assert.strictEqual(ReceiveStream.nextDue(stream), 12)
    assert.isTrue(ReceiveStream.onDue(stream, 12).ack)
    assert.strictEqual(ReceiveStream.settled(stream), 1)
  })

  it("follows at once when a repair has settled what was given up, and never before", () => {
    const stream = make()
    take(stream, 1, 0)
    take(stream, 3, 0)
    ReceiveStream.announce(stream, 3, 3, 0)
    run(stream, 100)
    assert.strictEqual(ReceiveStream.settled(stream), 1)
    // This repair began before number 3, which carries later writes than number 2, was known to exist.
    ReceiveStream.repaired(stream, 1)
    assert.strictEqual(ReceiveStream.settled(stream), 1)
    assert.strictEqual(ReceiveStream.nextDue(stream), Infinity)
    ReceiveStream.repaired(stream, 3)
    assert.strictEqual(ReceiveStream.settled(stream), 3)
    assert.isTrue(ReceiveStream.onDue(stream, 100).ack)
  })

  it("is silent for ever when nothing is missing and all is told, over random arrivals", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = mulberry32(seed)
      const stream = make({ random })
      let now = 0
      let told = 0
      const tell = (due: ReceiveStream.Due): void => {
        if (due.ack) told = ReceiveStream.settled(stream)
      }
      for (let number = 1; number <= 100; number++) {
        now += random() * 4
        if (random() < 0.8) take(stream, number, now)
        for (const due of run(stream, now)) tell(due)
      }
      for (let number = 1; number <= 100; number++) take(stream, number, now)
      for (const due of run(stream, now + 5)) tell(due)
      assert.strictEqual(told, 100, `seed ${seed}`)
      for (let number = 1; number <= 100; number++) take(stream, number, now + 10)
      assert.strictEqual(ReceiveStream.nextDue(stream), Infinity, `seed ${seed}`)
    }
  })
})

describe("a stream that begins behind", () => {
  it("settles nothing until a repair with the sender, and then goes on as any other", () => {
    const behind = ReceiveStream.makeBehind({ first: 8, random: () => 0.5 })
    assert.isTrue(ReceiveStream.abandoned(behind))
    // Of none of the earlier numbers is it known whether what they carried is here: who waits for one waits on.
    assert.strictEqual(ReceiveStream.settled(behind), 0)
    take(behind, 8, 0)
    assert.deepStrictEqual([ReceiveStream.received(behind), ReceiveStream.settled(behind)], [8, 0])
    ReceiveStream.repaired(behind, 8)
    assert.strictEqual(ReceiveStream.settled(behind), 8)
    // Of a sender that sent nothing before there is nothing to repair.
    assert.isFalse(ReceiveStream.abandoned(ReceiveStream.makeBehind({ first: 1, random: () => 0.5 })))
  })
})

describe("acknowledgements of a large cluster", () => {
  const spread = 100
  const spreading = (random: () => number): ReceiveStream.ReceiveStream => {
    const stream = make({ random })
    ReceiveStream.setAckEvery(stream, 64, spread)
    return stream
  }

  it("come at a random time of their own after data", () => {
    const stream = spreading(() => 0.25)
    take(stream, 1, 0)
    assert.deepStrictEqual(run(stream, 1_000).map(({ ack, at }) => [at, ack]), [[5 + 25, true]])
    // Not before the number that one is for: that would be as many again.
    for (let number = 2; number <= 65; number++) take(stream, number, 200)
    assert.deepStrictEqual(run(stream, 1_000).map(({ ack, at }) => [at, ack]), [[200, true]])
  })

  it("come at a random time when all are asked, and once for all who ask meanwhile", () => {
    const stream = spreading(() => 0.5)
    take(stream, 1, 0)
    ReceiveStream.ackAsked(stream, 1)
    assert.deepStrictEqual(run(stream, 1_000).map(({ at }) => at), [55], "one is due already")
    ReceiveStream.ackAsked(stream, 60)
    ReceiveStream.ackAsked(stream, 65)
    assert.deepStrictEqual(
      run(stream, 1_000).map(({ at }) => at),
      [155],
      "it told the same 5 ms ago, which may be lost"
    )
    ReceiveStream.ackAsked(stream, 355)
    ReceiveStream.ackAsked(stream, 360)
    assert.deepStrictEqual(run(stream, 1_000).map(({ at }) => at), [405])
    // What changed meanwhile is told, however lately something was.
    assert.strictEqual(ReceiveStream.receive(stream, 2, 206), "new")
    run(stream, 300)
    ReceiveStream.settle(stream, 2, 300)
    assert.isTrue(run(stream, 1_000).some(({ ack }) => ack))
  })

  it("come at once where few are asked", () => {
    const stream = make()
    ReceiveStream.ackAsked(stream, 0)
    ReceiveStream.ackAsked(stream, 0)
    assert.strictEqual(ReceiveStream.nextDue(stream), -Infinity)
  })

  it("are spread so that they are as many a second as a sender takes, and never so long that one is a laggard", () => {
    const protocol = Protocol.make()
    for (const members of [1, 2, 10, 50]) assert.strictEqual(Protocol.ackSpreadMillis(protocol, members), 0)
    for (const members of [51, 100, 500, 1_000]) {
      const period = protocol.ackDelayMillis + Protocol.ackSpreadMillis(protocol, members) / 2
      assert.approximately(members * 1_000 / period, protocol.acksPerSecondMax, 1, `${members} members`)
    }
    assert.strictEqual(Protocol.ackSpreadMillis(protocol, 60_000), protocol.laggardMillis / 2)
  })
})
