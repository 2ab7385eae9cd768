/** Which keys wait to be sent, held against a sorted list. */
import { assert, describe, it } from "@effect/vitest"
import type { Key } from "../../src/domain/Key.ts"
import { Outbox, type Places } from "../../src/domain/Outbox.ts"
import { Tombstone } from "../../src/domain/Record.ts"
import * as Replica from "../../src/domain/Replica.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"
import { a, b, clear, clockAt, del, make, put, t0 } from "./support/Replicas.ts"

/** An outbox with a record for each key, as a namespace uses it. */
class Keys {
  readonly outbox: Outbox
  readonly #records = new Map<Key, Tombstone>()

  constructor(places: Places, keysMax: number) {
    this.outbox = new Outbox(places, keysMax)
  }

  record(key: Key): Tombstone {
    const record = this.#records.get(key) ?? new Tombstone(key, 0, 1, a, "delete", 0)
    this.#records.set(key, record)
    return record
  }

  has(key: Key): boolean {
    return this.outbox.has(this.record(key))
  }

  add(key: Key): boolean {
    return this.has(key) || this.outbox.add(this.record(key))
  }

  peek(): Key | undefined {
    return this.outbox.peek()?.key
  }
}

/** What waits, oldest first, as anybody would write it down. */
class Model {
  readonly places: Places
  readonly keysMax: number
  keys: Array<{ readonly key: string; readonly place: number }> = []
  clear: { readonly clock: number; readonly place: number } | undefined
  overflows = 0

  constructor(places: Places, keysMax: number) {
    this.places = places
    this.keysMax = keysMax
  }

  add(key: string): boolean {
    if (this.keys.some((one) => one.key === key)) return true
    if (this.keys.length >= this.keysMax) {
      this.drop()
      this.overflows++
      return false
    }
    this.keys.push({ key, place: ++this.places.last })
    return true
  }

  addClear(clock: number, ofAll: boolean): void {
    const place = ofAll ? this.oldest() : this.clear?.place ?? Infinity
    if (ofAll) this.keys = []
    this.clear = { clock, place: place === Infinity ? ++this.places.last : place }
  }

  drop(): void {
    this.keys = []
    this.clear = undefined
  }

  oldest(): number {
    return Math.min(this.keys[0]?.place ?? Infinity, this.clear?.place ?? Infinity)
  }
}

describe("the outbox", () => {
  it("is a list without repeats that is left in order, over random uses", () => {
    let [taken, overflows] = [0, 0]
    for (let seed = 1; seed <= 80; seed++) {
      const random = mulberry32(seed)
      const below = (limit: number): number => Math.floor(random() * limit)
      const [places, modelPlaces] = [{ last: 0 }, { last: 0 }]
      const keysMax = 3 + below(15)
      const subject = new Keys(places, keysMax)
      const { outbox } = subject
      const model = new Model(modelPlaces, keysMax)
      const keys = 4 + below(16)
      for (let step = 0; step < 400; step++) {
        const key = `key ${below(keys)}`
        const chance = random()
        const where = `seed ${seed}, step ${step}`
        if (chance < 0.4) assert.strictEqual(subject.add(key), model.add(key), where)
        else if (chance < 0.8) {
          assert.strictEqual(subject.peek(), model.keys[0]?.key, where)
          if (random() < 0.8) {
            outbox.taken()
            taken += model.keys.splice(0, 1).length
          }
        } else if (chance < 0.88) {
          const clock = 1 + below(1_000)
          const ofAll = random() < 0.3
          outbox.addClear(clock, ofAll)
          model.addClear(clock, ofAll)
        } else if (chance < 0.95) {
          assert.strictEqual(outbox.peekClear(), model.clear?.clock ?? 0, where)
          if (random() < 0.5) {
            assert.strictEqual(outbox.takeClear(), model.clear?.clock ?? 0, where)
            model.clear = undefined
          }
        } else if (chance < 0.96) {
          outbox.drop()
          model.drop()
        } else assert.strictEqual(outbox.oldest(), model.oldest(), where)
        if (random() < 0.5) assert.strictEqual(outbox.oldest(), model.oldest(), where)
        assert.strictEqual(subject.has(key), model.keys.some((one) => one.key === key), where)
        assert.strictEqual(outbox.size, model.keys.length + (model.clear === undefined ? 0 : 1), where)
        assert.strictEqual(outbox.overflows, model.overflows, where)
        assert.deepStrictEqual(places, modelPlaces, where)
      }
      overflows += model.overflows
      // What is left comes out in order.
      const rest: Array<unknown> = []
      for (let next = subject.peek(); next !== undefined; next = subject.peek()) {
        rest.push(next)
        outbox.taken()
      }
      assert.deepStrictEqual(rest, model.keys.map((one) => one.key), `seed ${seed}`)
    }
    assert.isAbove(taken, 1_000)
    assert.isAbove(overflows, 100)
  })

  it("holds a key that changes all the time once, in its first place", () => {
    const subject = new Keys({ last: 0 }, 10)
    subject.add("often")
    for (const key of ["b", "c", "d"]) {
      subject.add(key)
      for (let times = 0; times < 100; times++) assert.isTrue(subject.add("often"))
    }
    assert.strictEqual(subject.outbox.size, 4)
    assert.strictEqual(subject.peek(), "often")
    assert.strictEqual(subject.outbox.oldest(), 1)
  })

  it("knows a key that waits by whatever took its record's place", () => {
    const random = mulberry32(9)
    for (let run = 0; run < 200; run++) {
      const { replica } = make({ collision: "latest" })
      const outbox = new Outbox({ last: 0 }, 10)
      Replica.apply(replica, put("x", clockAt(0), a, { expiresAt: t0 + 50 }), t0)
      const first = Replica.record(replica, "x")
      assert.isDefined(first)
      outbox.add(first)
      for (let at = 1; at < 30; at++) {
        const [writer, expiresAt] = [random() < 0.5 ? a : b, random() < 0.3 ? 0 : t0 + 50 - at]
        const clock = clockAt(random() < 0.8 ? at : at - 1)
        const chance = random()
        Replica.apply(replica, chance < 0.7 ? put("x", clock, writer, { expiresAt }) : del("x", clock, writer), t0 + at)
        const held = Replica.record(replica, "x")
        assert.isTrue(held !== undefined && outbox.has(held))
      }
      assert.strictEqual(outbox.peek(), first)
      outbox.taken()
      const held = Replica.record(replica, "x")
      assert.isTrue(held !== undefined && !outbox.has(held))
      Replica.apply(replica, clear(clockAt(40)), t0)
      Replica.apply(replica, put("x", clockAt(41), a), t0)
      const anew = Replica.record(replica, "x")
      assert.isTrue(anew !== undefined && !outbox.has(anew))
    }
  })

  it("tells numbers from strings", () => {
    const subject = new Keys({ last: 0 }, 10)
    subject.add(1)
    subject.add("1")
    assert.strictEqual(subject.outbox.size, 2)
    assert.strictEqual(subject.peek(), 1)
    subject.outbox.taken()
    assert.strictEqual(subject.peek(), "1")
  })

  it("is emptied by one key too many, which is counted, and works on", () => {
    const subject = new Keys({ last: 0 }, 3)
    const { outbox } = subject
    for (const key of ["a", "b", "c"]) assert.isTrue(subject.add(key))
    outbox.addClear(5, false)
    assert.strictEqual(subject.peek(), "a")
    assert.isTrue(subject.add("b"))
    assert.isFalse(subject.add("d"))
    assert.strictEqual(outbox.overflows, 1)
    assert.strictEqual(outbox.size, 0)
    assert.strictEqual(outbox.takeClear(), 0)
    assert.strictEqual(outbox.oldest(), Infinity)
    assert.isUndefined(outbox.peek())
    assert.isTrue(subject.add("d"))
    assert.strictEqual(subject.peek(), "d")
  })

  it("lets everything that was added before a barrier leave before its oldest place exceeds it", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = mulberry32(seed)
      const places = { last: 0 }
      // Several namespaces share the places.
      const outboxes = [new Keys(places, 1_000), new Keys(places, 1_000)]
      const waits = new Set<string>()
      const add = (): void => {
        const index = Math.floor(random() * 2)
        const key = `key ${Math.floor(random() * 30)}`
        outboxes[index].add(key)
      }
      for (let count = 0; count < 20; count++) add()
      const barrier = places.last
      for (const [index, subject] of outboxes.entries()) {
        for (let key = 0; key < 30; key++) if (subject.has(`key ${key}`)) waits.add(`${index} key ${key}`)
      }
      for (let step = 0; step < 400; step++) {
        const index = Math.floor(random() * 2)
        if (random() < 0.6) add()
        else {
          const key = outboxes[index].peek()
          outboxes[index].outbox.taken()
          waits.delete(`${index} ${key}`)
        }
        const oldest = Math.min(...outboxes.map(({ outbox }) => outbox.oldest()))
        assert.strictEqual(oldest > barrier, waits.size === 0, `seed ${seed}`)
        if (waits.size === 0) break
      }
      assert.strictEqual(waits.size, 0)
    }
  })

  it("keeps the place of a clear that may not be sent yet, and of one that a newer one supersedes", () => {
    const places = { last: 0 }
    const subject = new Keys(places, 10)
    const { outbox } = subject
    outbox.addClear(100, false)
    const barrier = places.last
    subject.add("a")
    assert.strictEqual(outbox.peekClear(), 100)
    assert.isAtMost(outbox.oldest(), barrier)
    outbox.addClear(200, false)
    assert.isAtMost(outbox.oldest(), barrier)
    assert.strictEqual(outbox.takeClear(), 200)
    assert.isAbove(outbox.oldest(), barrier)
    assert.strictEqual(outbox.takeClear(), 0)
  })

  it("gives a clear of all that waits the place of that", () => {
    const places = { last: 0 }
    const subject = new Keys(places, 10)
    const { outbox } = subject
    for (const key of ["a", "b"]) subject.add(key)
    outbox.taken()
    const barrier = places.last
    outbox.addClear(100, true)
    assert.isUndefined(outbox.peek())
    assert.isFalse(subject.has("b"))
    assert.strictEqual(outbox.oldest(), barrier)
    subject.add("b")
    assert.strictEqual(outbox.size, 2)
    outbox.takeClear()
    assert.isAbove(outbox.oldest(), barrier)
  })

  it("finds the next key in one step, however many were taken or added again", () => {
    // With a new iterator for every look, this takes minutes: each would step over all that was taken.
    const subject = new Keys({ last: 0 }, 1_000_000)
    const keys = 100_000
    for (let key = 0; key < keys; key++) subject.add(key)
    for (let key = 0; key < keys; key++) {
      assert.strictEqual(subject.peek(), key)
      subject.outbox.taken()
      subject.add(key + keys)
    }
    assert.strictEqual(subject.outbox.size, keys)
    assert.strictEqual(subject.peek(), keys)
  })
})
