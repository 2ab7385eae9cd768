/** Waits for other members: whether they tell the truth, and come to an end. */
import { assert, describe, it } from "@effect/vitest"
import * as Barriers from "../../src/domain/Barriers.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"

const members = ["a", "b", "c", "d"].map((letter) => letter.repeat(32))

/** A sender: writes get places, places leave in numbers, members settle numbers. */
class Sender {
  readonly barriers = Barriers.make()
  readonly live = new Set(members)
  readonly settled = new Map<string, number>()
  /** Writes by place: the number that carries each. */
  readonly numbers: Array<number> = [0]
  unsent: Array<number> = []
  highest = 0

  get place(): number {
    return this.numbers.length - 1
  }

  write(): void {
    this.numbers.push(Infinity)
    this.unsent.push(this.place)
  }

  /** Sends some writes, each number carrying some of them. */
  send(count: number): void {
    for (let sent = 0; sent < count && this.unsent.length > 0; sent++) {
      this.highest++
      for (const place of this.unsent.splice(0, 1 + this.highest % 3)) this.numbers[place] = this.highest
    }
    Barriers.onSent(this.barriers, this.unsent[0] ?? Infinity, this.highest, (member) => this.settled.get(member) ?? 0)
  }

  settle(member: string, number: number): void {
    const settled = Math.max(this.settled.get(member) ?? 0, Math.min(number, this.highest))
    this.settled.set(member, settled)
    Barriers.onSettled(this.barriers, member, settled)
  }

  leave(member: string): void {
    this.live.delete(member)
    Barriers.onLeft(this.barriers, member)
  }

  /** The number that carries the last of what was written up to a place. */
  numberOf(place: number): number {
    return Math.max(...this.numbers.slice(0, place + 1))
  }
}

interface Wait {
  readonly barrier: Barriers.Barrier
  readonly place: number
  readonly members: ReadonlyArray<string>
  readonly needed: number | "all"
  readonly left: Set<string>
  readonly calls: Array<boolean>
}

describe("a wait", () => {
  it("ends exactly when it is true, or can no longer be, over random sends, folds and departures", () => {
    const ends = { passed: 0, failed: 0, withLeavers: 0, open: 0 }
    for (let seed = 1; seed <= 80; seed++) {
      const random = mulberry32(seed)
      const below = (limit: number): number => Math.floor(random() * limit)
      const sender = new Sender()
      const waits: Array<Wait> = []
      for (let step = 0; step < 120; step++) {
        const chance = random()
        if (chance < 0.3) sender.write()
        else if (chance < 0.45) sender.send(below(4))
        else if (chance < 0.55 && sender.live.size > 0) {
          const awaited = [...sender.live]
          const needed = random() < 0.4 ? "all" : below(awaited.length + 1)
          const calls: Array<boolean> = []
          const barrier = Barriers.add(
            sender.barriers,
            { place: sender.place, members: awaited, needed },
            (passed) => calls.push(passed)
          )
          waits.push({ barrier, place: sender.place, members: awaited, needed, left: new Set(), calls })
          // What is sent already needs no sending: the sender looks after every wait.
          sender.send(0)
        } else if (chance < 0.97) {
          const member = members[below(4)]
          if (sender.live.has(member)) sender.settle(member, below(sender.highest + 2))
        } else {
          const member = members[below(4)]
          for (const wait of waits) {
            const waiting = wait.calls.length === 0 && sender.live.has(member) && wait.members.includes(member)
            // Who leaves with all but what its number carries besides may be taken for a leaver, never the reverse.
            if (waiting && (sender.settled.get(member) ?? 0) < wait.barrier.number) wait.left.add(member)
          }
          if (sender.live.has(member)) sender.leave(member)
        }
        for (const [index, wait] of waits.entries()) {
          const number = sender.numberOf(wait.place)
          const has = (member: string): boolean => number <= (sender.settled.get(member) ?? 0)
          const passed = wait.members.filter((member) => !wait.left.has(member) && has(member))
          const awaited = wait.members.filter((member) => !wait.left.has(member) && !has(member))
          const where = `seed ${seed}, step ${step}, wait ${index}`
          assert.isAtMost(wait.calls.length, 1, where)
          if (wait.calls[0] === true) {
            // Truthful: everything was sent, and whoever is counted has folded it.
            assert.isBelow(number, Infinity, where)
            for (const member of wait.barrier.passed) assert.isTrue(has(member), where)
            if (wait.needed === "all") {
              assert.sameMembers([...wait.barrier.passed, ...wait.barrier.left], [...wait.members], where)
              assert.sameMembers([...wait.barrier.left], [...wait.left], where)
            } else assert.isAtLeast(wait.barrier.passed.size, wait.needed, where)
          } else if (wait.calls[0] === false) {
            assert.notStrictEqual(wait.needed, "all", where)
            assert.isBelow(passed.length, Number(wait.needed), where)
          } else {
            // Not ended: the machine may be pessimistic by what its number carries besides, never for ever.
            const reached = wait.barrier.number < Infinity
            const all = wait.members.every((member) =>
              wait.left.has(member) || (sender.settled.get(member) ?? 0) >= wait.barrier.number
            )
            if (wait.needed === "all") assert.isFalse(reached && all, where)
            else {
              assert.isFalse(reached && wait.barrier.passed.size >= wait.needed, where)
              assert.isAtLeast(passed.length + awaited.length, wait.needed, where)
            }
          }
          assert.strictEqual(sender.barriers.active.has(wait.barrier), wait.calls.length === 0, where)
        }
      }
      // Everybody folds everything: nobody waits any more.
      sender.send(1_000)
      for (const member of sender.live) sender.settle(member, sender.highest)
      assert.strictEqual(sender.barriers.active.size, 0, `seed ${seed}`)
      for (const wait of waits) {
        assert.strictEqual(wait.calls.length, 1, `seed ${seed}`)
        if (wait.calls[0]) ends.passed++
        else ends.failed++
        if (wait.calls[0] && wait.left.size > 0) ends.withLeavers++
      }
    }
    assert.isAbove(ends.passed, 300)
    assert.isAbove(ends.failed, 20)
    assert.isAbove(ends.withLeavers, 20)
  })

  it("does not end before the last of what was written before it has left", () => {
    const sender = new Sender()
    const calls: Array<boolean> = []
    sender.write()
    sender.send(1)
    for (const member of members) sender.settle(member, 1)
    sender.write()
    Barriers.add(sender.barriers, { place: sender.place, members, needed: "all" }, (passed) => calls.push(passed))
    for (const member of members) sender.settle(member, 1)
    sender.send(0)
    assert.deepStrictEqual(calls, [])
    sender.send(1)
    for (const member of members.slice(1)) sender.settle(member, 2)
    assert.deepStrictEqual(calls, [])
    sender.settle(members[0], 2)
    assert.deepStrictEqual(calls, [true])
  })

  it("with everything folded already ends as soon as it is looked at", () => {
    const sender = new Sender()
    sender.write()
    sender.send(1)
    for (const member of members) sender.settle(member, 1)
    const calls: Array<boolean> = []
    Barriers.add(sender.barriers, { place: sender.place, members, needed: "all" }, (passed) => calls.push(passed))
    sender.send(0)
    assert.deepStrictEqual(calls, [true])
  })

  it("does not wait for who came later, nor counts it", () => {
    const [a, b, c] = members
    const sender = new Sender()
    sender.write()
    const calls: Array<boolean> = []
    const barrier = Barriers.add(
      sender.barriers,
      { place: sender.place, members: [a, b], needed: 2 },
      (passed) => calls.push(passed)
    )
    sender.send(1)
    sender.settle(c, 1)
    sender.settle(a, 1)
    assert.deepStrictEqual(calls, [])
    sender.leave(c)
    assert.deepStrictEqual([...barrier.left], [])
    sender.settle(b, 1)
    assert.deepStrictEqual(calls, [true])
    assert.sameMembers([...barrier.passed], [a, b])
  })

  it("for all reports who left; for a number fails as soon as too few are left", () => {
    const [a, b, c, d] = members
    const sender = new Sender()
    sender.write()
    const all: Array<boolean> = []
    const three: Array<boolean> = []
    const options = { place: sender.place, members }
    const barrier = Barriers.add(sender.barriers, { ...options, needed: "all" }, (passed) => all.push(passed))
    Barriers.add(sender.barriers, { ...options, needed: 3 }, (passed) => three.push(passed))
    sender.send(1)
    sender.settle(a, 1)
    sender.leave(b)
    assert.deepStrictEqual([all, three], [[], []])
    sender.leave(c)
    assert.deepStrictEqual([all, three], [[], [false]])
    // Who has passed and leaves then is no leaver: it had everything.
    sender.leave(a)
    sender.settle(d, 1)
    assert.deepStrictEqual([all, three], [[true], [false]])
    assert.sameMembers([...barrier.left], [b, c])
    assert.sameMembers([...barrier.passed], [a, d])
  })

  it("that was given up is never told of again", () => {
    const sender = new Sender()
    sender.write()
    const calls: Array<boolean> = []
    const barrier = Barriers.add(
      sender.barriers,
      { place: sender.place, members, needed: "all" },
      (passed) => calls.push(passed)
    )
    Barriers.remove(sender.barriers, barrier)
    sender.send(1)
    for (const member of members) sender.settle(member, 1)
    assert.deepStrictEqual(calls, [])
    assert.strictEqual(sender.barriers.active.size, 0)
  })
})
