/** Which keys wait to be sent, held against a sorted list. */
import { assert, describe, it } from "@effect/vitest"
import { Outbox, type Places } from "../../src/domain/Outbox.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"

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

  addClear(clock: number): void {
    this.clear = { clock, place: this.clear?.place ?? ++this.places.last }
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
      const outbox = new Outbox(places, keysMax)
      const model = new Model(modelPlaces, keysMax)
      const keys = 4 + below(16)
      for (let step = 0; step < 400; step++) {
        const key = `key ${below(keys)}`
        const chance = random()
        const where = `seed ${seed}, step ${step}`
        if (chance < 0.4) assert.strictEqual(outbox.add(key), model.add(key), where)
        else if (chance < 0.8) {
          assert.strictEqual(outbox.peek(), model.keys[0]?.key, where)
          if (random() < 0.8) {
            outbox.taken()
            taken += model.keys.splice(0, 1).length
          }
        } else if (chance < 0.88) {
          const clock = 1 + below(1_000)
          outbox.addClear(clock)
          model.addClear(clock)
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
        assert.strictEqual(outbox.has(key), model.keys.some((one) => one.key === key), where)
        assert.strictEqual(outbox.size, model.keys.length + (model.clear === undefined ? 0 : 1), where)
        assert.strictEqual(outbox.overflows, model.overflows, where)
        assert.deepStrictEqual(places, modelPlaces, where)
      }
      overflows += model.overflows
      // What is left comes out in order.
      const rest: Array<unknown> = []
      for (let next = outbox.peek(); next !== undefined; next = outbox.peek()) {
        rest.push(next)
        outbox.taken()
      }
      assert.deepStrictEqual(rest, model.keys.map((one) => one.key), `seed ${seed}`)
    }
    assert.isAbove(taken, 1_000)
    assert.isAbove(overflows, 100)
  })

  it("holds a key that changes all the time once, in its first place", () => {
    const outbox = new Outbox({ last: 0 }, 10)
    outbox.add("often")
    for (const key of ["b", "c", "d"]) {
      outbox.add(key)
      for (let times = 0; times < 100; times++) assert.isTrue(outbox.add("often"))
    }
    assert.strictEqual(outbox.size, 4)
    assert.strictEqual(outbox.peek(), "often")
    assert.strictEqual(outbox.oldest(), 1)
  })

  it("tells numbers from strings", () => {
    const outbox = new Outbox({ last: 0 }, 10)
    outbox.add(1)
    outbox.add("1")
    assert.strictEqual(outbox.size, 2)
    assert.strictEqual(outbox.peek(), 1)
    outbox.taken()
    assert.strictEqual(outbox.peek(), "1")
  })

  it("is emptied by one key too many, which is counted, and works on", () => {
    const outbox = new Outbox({ last: 0 }, 3)
    for (const key of ["a", "b", "c"]) assert.isTrue(outbox.add(key))
    outbox.addClear(5)
    assert.strictEqual(outbox.peek(), "a")
    assert.isTrue(outbox.add("b"))
    assert.isFalse(outbox.add("d"))
    assert.strictEqual(outbox.overflows, 1)
    assert.strictEqual(outbox.size, 0)
    assert.strictEqual(outbox.takeClear(), 0)
    assert.strictEqual(outbox.oldest(), Infinity)
    assert.isUndefined(outbox.peek())
    assert.isTrue(outbox.add("d"))
    assert.strictEqual(outbox.peek(), "d")
  })

  it("lets everything that was added before a barrier leave before its oldest place exceeds it", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = mulberry32(seed)
      const places = { last: 0 }
      // Several namespaces share the places.
      const outboxes = [new Outbox(places, 1_000), new Outbox(places, 1_000)]
      const waits = new Set<string>()
      const add = (): void => {
        const index = Math.floor(random() * 2)
        const key = `key ${Math.floor(random() * 30)}`
        outboxes[index].add(key)
      }
      for (let count = 0; count < 20; count++) add()
      const barrier = places.last
      for (const [index, outbox] of outboxes.entries()) {
        for (let key = 0; key < 30; key++) if (outbox.has(`key ${key}`)) waits.add(`${index} key ${key}`)
      }
      for (let step = 0; step < 400; step++) {
        const index = Math.floor(random() * 2)
        if (random() < 0.6) add()
        else {
          const key = outboxes[index].peek()
          outboxes[index].taken()
          waits.delete(`${index} ${key}`)
        }
        const oldest = Math.min(...outboxes.map((outbox) => outbox.oldest()))
        assert.strictEqual(oldest > barrier, waits.size === 0, `seed ${seed}`)
        if (waits.size === 0) break
      }
      assert.strictEqual(waits.size, 0)
    }
  })

  it("keeps the place of a clear that may not be sent yet, and of one that a newer one supersedes", () => {
    const places = { last: 0 }
    const outbox = new Outbox(places, 10)
    outbox.addClear(100)
    const barrier = places.last
    outbox.add("a")
    assert.strictEqual(outbox.peekClear(), 100)
    assert.isAtMost(outbox.oldest(), barrier)
    outbox.addClear(200)
    assert.isAtMost(outbox.oldest(), barrier)
    assert.strictEqual(outbox.takeClear(), 200)
    assert.isAbove(outbox.oldest(), barrier)
    assert.strictEqual(outbox.takeClear(), 0)
  })

  it("finds the next key in one step, however many were taken or added again", () => {
    // With a new iterator for every look, this takes minutes: each would step over all that was taken.
    const outbox = new Outbox({ last: 0 }, 1_000_000)
    const keys = 100_000
    for (let key = 0; key < keys; key++) outbox.add(key)
    for (let key = 0; key < keys; key++) {
      assert.strictEqual(outbox.peek(), key)
      outbox.taken()
      outbox.add(key + keys)
    }
    assert.strictEqual(outbox.size, keys)
    assert.strictEqual(outbox.peek(), keys)
  })
})
