/** The sender's numbers and what it keeps of them, held against a plain map. */
import { assert, describe, it } from "@effect/vitest"
import { InvariantViolation } from "../../src/domain/Invariant.ts"
import * as SendStream from "../../src/domain/SendStream.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"

/** A body whose bytes tell its number, so that a mix-up shows. */
const bodyOf = (number: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => at % 2 === 0 ? number & 255 : number >> 8)

/** What a stream is: everything ever sent, and where the kept part begins. */
class Model {
  readonly retainBytesMax: number
  readonly sent = new Map<number, Uint8Array>()
  readonly resentMillis = new Map<number, number>()
  lowest = 1
  highest = 0

  constructor(retainBytesMax: number) {
    this.retainBytesMax = retainBytesMax
  }

  get bytes(): number {
    let bytes = 0
    for (let number = this.lowest; number <= this.highest; number++) bytes += this.sent.get(number)?.length ?? 0
    return bytes
  }

  append(body: Uint8Array): number {
    this.sent.set(++this.highest, body)
    while (this.bytes > this.retainBytesMax && this.lowest < this.highest) this.lowest++
    return this.highest
  }

  resend(ranges: ReadonlyArray<SendStream.Range>, now: number, most: number): ReadonlyArray<number> {
    const numbers: Array<number> = []
    let fresh = 0
    for (const { from, to } of ranges) {
      for (let number = Math.max(from, this.lowest); number <= Math.min(to, this.highest); number++) {
        const last = this.resentMillis.get(number) ?? -Infinity
        if (last === now || (fresh < most && now - last >= 10)) {
          if (last !== now) fresh++
          numbers.push(number)
          this.resentMillis.set(number, now)
        }
      }
    }
    return numbers
  }
}

const compare = (stream: SendStream.SendStream, model: Model, seed: number): void => {
  assert.strictEqual(SendStream.highest(stream), model.highest, `seed ${seed}`)
  assert.strictEqual(SendStream.lowest(stream), model.lowest, `seed ${seed}`)
  assert.strictEqual(SendStream.retainedBytes(stream), model.bytes, `seed ${seed}`)
}

describe("a stream of what was sent", () => {
  it("behaves as a map of everything sent with a moving lower end, over random uses", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = mulberry32(seed)
      const below = (limit: number): number => Math.floor(random() * limit)
      // Small bounds drop all the time, great ones make the ring grow.
      const retainBytesMax = [50, 1_000, 100_000][seed % 3]
      const stream = SendStream.make({ retainBytesMax })
      const model = new Model(retainBytesMax)
      let now = 0
      for (let step = 0; step < 300; step++) {
        const chance = random()
        if (chance < 0.6) {
          for (let count = 1 + below(4); count > 0; count--) {
            const body = bodyOf(model.highest + 1, 1 + below(60))
            assert.strictEqual(SendStream.append(stream, body), model.append(body))
          }
        } else if (chance < 0.7) {
          const upTo = model.lowest - 3 + below(30)
          SendStream.settle(stream, upTo, 0)
          model.lowest = Math.max(model.lowest, Math.min(upTo, model.highest) + 1)
        } else if (chance < 0.71) {
          SendStream.skip(stream)
          model.lowest = ++model.highest + 1
        } else {
          now += below(8)
          const from = model.lowest - 2 + below(model.highest - model.lowest + 8)
          const ranges = [{ from, to: from + below(10) }, { from: from + 12, to: from + 12 + below(1_000) }]
          const most = below(40)
          assert.deepStrictEqual(
            SendStream.resend(stream, ranges, now, most),
            model.resend(ranges, now, most),
            `seed ${seed}`
          )
        }
        compare(stream, model, seed)
      }
      for (let number = 0; number <= model.highest + 2; number++) {
        const kept = number >= model.lowest && number <= model.highest
        const body = SendStream.body(stream, number)
        assert.strictEqual(body, kept ? model.sent.get(number) : undefined, `seed ${seed}, number ${number}`)
        if (body !== undefined) assert.deepStrictEqual(body, bodyOf(number, body.length))
      }
    }
  })

  it("keeps no more bytes than its bound, but always the newest body", () => {
    const random = mulberry32(7)
    const stream = SendStream.make({ retainBytesMax: 500 })
    for (let number = 1; number <= 2_000; number++) {
      const length = random() < 0.01 ? 800 : 1 + Math.floor(random() * 100)
      SendStream.append(stream, bodyOf(number, length))
      assert.isAtMost(SendStream.retainedBytes(stream), Math.max(500, length))
      assert.strictEqual(SendStream.body(stream, number)?.length, length)
    }
  })

  it("holds its ring in proportion to what it keeps, and gives it back after a burst", () => {
    const stream = SendStream.make({ retainBytesMax: 1_000_000 })
    for (let number = 1; number <= 20_000; number++) SendStream.append(stream, bodyOf(number, 10))
    assert.isAtMost(stream.bodies.length, 32_768)
    // Growing loses nothing and mixes nothing up.
    for (let number = 1; number <= 20_000; number++) {
      assert.strictEqual(SendStream.body(stream, number)?.[0], number & 255)
      assert.strictEqual(SendStream.body(stream, number)?.[1], number >> 8)
    }
    SendStream.settle(stream, 20_000, 0)
    assert.strictEqual(SendStream.retainedBytes(stream), 0)
    assert.isAtMost(stream.bodies.length, 256)
    assert.strictEqual(SendStream.append(stream, bodyOf(20_001, 10)), 20_001)
    assert.deepStrictEqual(SendStream.resend(stream, [{ from: 1, to: 30_000 }], 0, 10), [20_001])
    // As long as there is little to keep, nothing grows, however long the stream.
    for (let number = 20_002; number <= 40_000; number++) {
      SendStream.append(stream, bodyOf(number, 10))
      SendStream.settle(stream, number - 5, 0)
    }
    assert.strictEqual(stream.bodies.length, 256)
  })

  it("never uses the number of a skipped place, and never has anything to send for it", () => {
    for (const before of [0, 1, 255, 256, 257, 300]) {
      const stream = SendStream.make({ retainBytesMax: 1_000_000 })
      for (let number = 1; number <= before; number++) SendStream.append(stream, bodyOf(number, 10))
      SendStream.skip(stream)
      assert.strictEqual(SendStream.highest(stream), before + 1)
      assert.strictEqual(SendStream.lowest(stream), before + 2)
      assert.strictEqual(SendStream.retainedBytes(stream), 0)
      assert.deepStrictEqual(SendStream.resend(stream, [{ from: 1, to: before + 1 }], 0, 1_000), [])
      assert.strictEqual(SendStream.append(stream, bodyOf(before + 2, 10)), before + 2)
      assert.strictEqual(SendStream.retainedBytes(stream), 10)
      assert.isUndefined(SendStream.body(stream, before + 1))
    }
  })

  it("refuses to run out of numbers", () => {
    const stream = SendStream.make({ retainBytesMax: 1_000 })
    stream.highest = 2 ** 46 - 2
    stream.lowest = stream.highest + 1
    assert.strictEqual(SendStream.append(stream, bodyOf(1, 1)), 2 ** 46 - 1)
    assert.throws(() => SendStream.append(stream, bodyOf(2, 1)), InvariantViolation)
  })
})

describe("sending again", () => {
  it("gives a number to everybody who asks in one turn, and to nobody within 10 ms after", () => {
    const stream = SendStream.make({ retainBytesMax: 1_000 })
    for (let number = 1; number <= 5; number++) SendStream.append(stream, bodyOf(number, 10))
    const ask = (now: number) => SendStream.resend(stream, [{ from: 2, to: 4 }], now, 100)
    assert.deepStrictEqual(ask(100), [2, 3, 4])
    assert.deepStrictEqual(ask(100), [2, 3, 4])
    assert.deepStrictEqual(ask(100.5), [])
    assert.deepStrictEqual(ask(109.5), [])
    assert.deepStrictEqual(SendStream.resend(stream, [{ from: 1, to: 5 }], 109.5, 100), [1, 5])
    assert.deepStrictEqual(ask(110), [2, 3, 4])
    assert.deepStrictEqual(ask(119), [])
  })

  it("keeps what was promised to a newcomer for so long, and of several promises the lowest", () => {
    const stream = SendStream.make({ retainBytesMax: 1_000 })
    for (let number = 1; number <= 9; number++) SendStream.append(stream, bodyOf(number, 10))
    SendStream.promise(stream, 5, 0, 100)
    SendStream.promise(stream, 7, 50, 100)
    SendStream.settle(stream, 9, 149)
    assert.strictEqual(SendStream.lowest(stream), 5)
    // Another one, when the former are over.
    SendStream.promise(stream, 8, 150, 100)
    SendStream.settle(stream, 9, 160)
    assert.strictEqual(SendStream.lowest(stream), 8)
    SendStream.settle(stream, 9, 250)
    assert.strictEqual(SendStream.lowest(stream), 10)
    assert.strictEqual(SendStream.retainedBytes(stream), 0)
  })

  it("gives to all what a second one asks for within 10 ms", () => {
    const stream = SendStream.make({ retainBytesMax: 1_000 })
    for (let number = 1; number <= 5; number++) SendStream.append(stream, bodyOf(number, 10))
    const ask = (asker: string, from: number, to: number, now: number) =>
      SendStream.resend(stream, [{ from, to }], now, 100, asker)
    assert.deepStrictEqual(ask("a", 2, 4, 100), [2, 3, 4])
    for (const number of [2, 3, 4]) assert.isFalse(SendStream.isForAll(stream, number))
    assert.deepStrictEqual(ask("a", 2, 4, 101), [], "it is on its way to a")
    assert.deepStrictEqual(ask("b", 3, 3, 102), [3])
    assert.isTrue(SendStream.isForAll(stream, 3))
    assert.isFalse(SendStream.isForAll(stream, 2))
    assert.deepStrictEqual(ask("c", 3, 3, 103), [], "it is on its way to everyone")
    assert.deepStrictEqual(ask("a", 3, 3, 111.5), [])
    // Later, one that lost it again has it alone.
    assert.deepStrictEqual(ask("c", 3, 3, 112), [3])
    assert.isFalse(SendStream.isForAll(stream, 3))
    // Several in one turn.
    assert.deepStrictEqual(ask("a", 5, 5, 200), [5])
    assert.deepStrictEqual(ask("b", 5, 5, 200), [5])
    assert.isTrue(SendStream.isForAll(stream, 5))
    // Also beyond what may go out in a turn: it goes out anyway.
    assert.deepStrictEqual(SendStream.resend(stream, [{ from: 4, to: 5 }], 200, 0, "c"), [5])
    // The ring grows with all that it knows.
    for (let number = 6; number <= 400; number++) SendStream.append(stream, bodyOf(number, 0))
    assert.isTrue(SendStream.isForAll(stream, 5))
    assert.deepStrictEqual(ask("d", 5, 5, 205), [])
  })

  it("is bounded for each number by one to one and one to all in 10 ms, however many ask", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = mulberry32(seed)
      const stream = SendStream.make({ retainBytesMax: 1_000 })
      SendStream.append(stream, bodyOf(1, 10))
      const sent: Array<{ readonly now: number; readonly toAll: boolean }> = []
      for (let now = 0; now < 500; now += random()) {
        const asker = `m${Math.floor(random() * 50)}`
        if (SendStream.resend(stream, [{ from: 1, to: 1 }], now, 10, asker).length === 0) continue
        sent.push({ now, toAll: SendStream.isForAll(stream, 1) })
      }
      for (const toAll of [true, false]) {
        const times = sent.filter((each) => each.toAll === toAll).map(({ now }) => now)
        assert.isAbove(times.length, 10)
        for (const [at, now] of times.entries()) if (at > 0) assert.isAtLeast(now - times[at - 1], 10, `seed ${seed}`)
      }
    }
  })

  it("gives each number once, whatever ranges overlap, and looks at no more than an honest question spans", () => {
    const stream = SendStream.make({ retainBytesMax: 2 ** 20 })
    for (let number = 1; number <= 10_000; number++) SendStream.append(stream, bodyOf(number, 20))
    const ranges = Array.from({ length: 64 }, () => ({ from: 1, to: 2 ** 40 }))
    const numbers = SendStream.resend(stream, ranges, 0, 20_000)
    assert.strictEqual(new Set(numbers).size, numbers.length)
    assert.isAtLeast(numbers.length, 4_096)
    assert.isBelow(numbers.length, 5_000)
  })

  it("is bounded for each number by one turn in 10 ms, whoever asks for whatever", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = mulberry32(seed)
      const stream = SendStream.make({ retainBytesMax: 2_000 })
      const last = new Map<number, number>()
      let now = 0
      for (let step = 0; step < 400; step++) {
        if (random() < 0.3) SendStream.append(stream, bodyOf(step, 20))
        now += random() * 3
        const ranges = Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
          const from = Math.floor(random() * 150)
          return { from, to: from + Math.floor(random() * 2 ** 40) }
        })
        const most = Math.floor(random() * 64)
        const numbers = SendStream.resend(stream, ranges, now, most)
        assert.isAtMost(new Set(numbers).size, most)
        for (const number of new Set(numbers)) {
          const before = last.get(number)
          if (before !== undefined) assert.isAtLeast(now - before, 10, `seed ${seed}, number ${number}`)
          last.set(number, now)
        }
      }
    }
  })
})
