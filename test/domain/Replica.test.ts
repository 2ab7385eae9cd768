/** The rules of coherence, by number: each test fails without its rule. */
import { assert, describe, it } from "@effect/vitest"
import * as Digest from "../../src/domain/Digest.ts"
import type { Key } from "../../src/domain/Key.ts"
import type { Record } from "../../src/domain/Record.ts"
import * as Replica from "../../src/domain/Replica.ts"
import * as Stamp from "../../src/domain/Stamp.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"
import { a, b, c, clear, clockAt, del, make, put, read, shuffled, stateOf, t0 } from "./support/Replicas.ts"

describe("rule 1, stamp", () => {
  it("local stamps rise strictly and exceed everything received, the floor, the forget line and those of peers", () => {
    const { replica } = make()
    let last = Replica.stamp(replica, t0)
    const rises = (): void => {
      const next = Replica.stamp(replica, t0)
      assert.isAbove(next, last)
      last = next
    }
    rises()
    Replica.apply(replica, put("x", clockAt(400), b), t0)
    rises()
    assert.isAbove(last, clockAt(400))
    Replica.apply(replica, clear(clockAt(450), b), t0)
    rises()
    assert.isAbove(last, clockAt(450))
    replica.forget = clockAt(480)
    rises()
    assert.isAbove(last, clockAt(480))
    replica.holds.add({ forget: clockAt(490), equal: new Uint8Array(Digest.buckets) })
    rises()
    assert.isAbove(last, clockAt(490))
  })

  it("a stamp more than clockAheadMillisMax ahead is refused, changes nothing and does not advance the clock", () => {
    for (const event of [put("x", clockAt(501), b), del("x", clockAt(501), b), clear(clockAt(501), b)]) {
      const subject = make()
      Replica.apply(subject.replica, put("x", clockAt(1), b), t0)
      const before = stateOf(subject)
      assert.strictEqual(Replica.apply(subject.replica, event, t0), "refused")
      assert.deepStrictEqual(stateOf(subject), before)
      assert.isBelow(Replica.stamp(subject.replica, t0), clockAt(2))
      // The same event is taken when its time has come.
      assert.notStrictEqual(Replica.apply(subject.replica, event, t0 + 1), "refused")
    }
  })
})

describe("rule 2, newest wins", () => {
  it("a lesser or equal stamp changes nothing, a greater one replaces: the writer's id decides equal clocks", () => {
    const subject = make({ collision: "latest" })
    const fold = (clock: number, writer: string) => Replica.apply(subject.replica, put("x", clock, writer), t0)
    assert.strictEqual(fold(clockAt(5), b), "stored")
    assert.strictEqual(fold(clockAt(5), b), "superseded")
    assert.strictEqual(fold(clockAt(4), c), "superseded")
    assert.strictEqual(fold(clockAt(5), a), "superseded")
    assert.strictEqual(read(subject, "x", t0), `${clockAt(5)}/${b}`)
    assert.strictEqual(fold(clockAt(5), c), "stored")
    assert.strictEqual(fold(clockAt(6), a), "stored")
    assert.strictEqual(read(subject, "x", t0), `${clockAt(6)}/${a}`)
  })

  for (const collision of ["tie", "latest"] as const) {
    it(`apply is a join while nothing is forgotten (${collision}): any order and repetition ends in one state`, () => {
      const random = mulberry32(2)
      const below = (bound: number): number => Math.floor(random() * bound)
      for (let run = 0; run < 400; run++) {
        const events: Array<Replica.Event> = []
        for (let count = 0; count < 14; count++) {
          const key = `k${below(3)}`
          const writer = [a, b, c][below(3)]
          // Few clock values, so that writers collide.
          const clock = clockAt(below(8))
          const dice = random()
          events.push(
            dice < 0.65
              ? put(key, clock, writer)
              : dice < 0.95
              ? del(key, clock, writer)
              : clear(clockAt(below(4)), writer)
          )
        }
        // One writer never uses a stamp twice for one key.
        const seen = new Set<string>()
        const distinct = events.filter((event) => {
          const id = event._tag === "Clear" ? `clear ${event.clock}` : `${event.key} ${event.clock} ${event.writer}`
          return !seen.has(id) && seen.add(id)
        })
        const fold = (list: ReadonlyArray<Replica.Event>) => {
          const subject = make({ collision })
          for (const event of list) Replica.apply(subject.replica, event, t0)
          return { state: stateOf(subject), digest: Digest.hash(subject.replica.digest) }
        }
        const expected = fold(distinct)
        assert.deepStrictEqual(fold(shuffled(distinct, random)), expected)
        assert.deepStrictEqual(fold(shuffled([...distinct, ...distinct, ...distinct.slice(3)], random)), expected)
      }
    })
  }
})

describe("rule 3, collision", () => {
  for (const origin of ["remote", "repair", "local", "fill"] as const) {
    it(`equal clocks of different writers: both give way, whatever came first (${origin})`, () => {
      for (const [first, second] of [[a, b], [b, a]]) {
        const subject = make()
        Replica.apply(subject.replica, put("x", clockAt(5), first), t0 + 5)
        assert.strictEqual(Replica.apply(subject.replica, put("x", clockAt(5), second, { origin }), t0 + 5), "collided")
        assert.isUndefined(read(subject, "x", t0 + 5))
        assert.deepInclude(subject.happened, { what: "collided", key: "x", clock: clockAt(5) })
        // Nor does either come back, or a third of the same clock.
        for (const writer of [a, b, c]) Replica.apply(subject.replica, put("x", clockAt(5), writer), t0 + 5)
        assert.isUndefined(read(subject, "x", t0 + 5))
        // What is newer wins over the collision.
        Replica.apply(subject.replica, put("x", clockAt(6), a), t0 + 6)
        assert.strictEqual(read(subject, "x", t0 + 6), `${clockAt(6)}/${a}`)
      }
    })
  }

  it("is told with the latest policy too, where the writer's id decides", () => {
    for (const [first, second] of [[a, b], [b, a]]) {
      const subject = make({ collision: "latest" })
      Replica.apply(subject.replica, put("x", clockAt(5), first), t0)
      Replica.apply(subject.replica, put("x", clockAt(5), second), t0)
      assert.strictEqual(read(subject, "x", t0), `${clockAt(5)}/${b}`)
      assert.lengthOf(subject.happened.filter(({ what }) => what === "collided"), 1)
    }
  })
})

describe("what was evicted before it was sent", () => {
  it("goes under its own stamp where a repair fetched it in between, and does not come again", () => {
    const subject = make()
    Replica.apply(subject.replica, put("x", clockAt(5), b, { origin: "repair" }), t0)
    assert.isDefined(read(subject, "x", t0))
    assert.strictEqual(Replica.apply(subject.replica, del("x", clockAt(5), b), t0), "deleted")
    assert.isUndefined(read(subject, "x", t0))
    assert.strictEqual(Replica.apply(subject.replica, put("x", clockAt(5), b, { origin: "repair" }), t0), "superseded")
  })
})

describe("rule 4, floor", () => {
  it("nothing at or below it exists, whenever it arrives; what is above stays", () => {
    const subject = make()
    Replica.apply(subject.replica, put("old", clockAt(5), a), t0)
    Replica.apply(subject.replica, put("new", clockAt(7), a), t0)
    Replica.apply(subject.replica, clear(clockAt(6), b), t0)
    assert.isUndefined(read(subject, "old", t0))
    assert.isDefined(read(subject, "new", t0))
    for (const origin of ["remote", "repair", "fill", "local"] as const) {
      const late = put("late", clockAt(6), c, { origin })
      assert.strictEqual(Replica.apply(subject.replica, late, t0), "forgotten", origin)
    }
    assert.strictEqual(Replica.apply(subject.replica, put("late", clockAt(6, 1), c), t0), "stored")
    // A floor never falls.
    assert.strictEqual(Replica.apply(subject.replica, clear(clockAt(3), c), t0), "superseded")
    assert.strictEqual(subject.replica.floor, clockAt(6))
  })
})

describe("rule 5, expiry", () => {
  const expiring = (clock: number, expiresAt: number) => put("x", clock, a, { expiresAt })

  it("at its time an entry is absent to every reader, before anything freed it, and time never runs back", () => {
    const subject = make()
    Replica.apply(subject.replica, expiring(clockAt(0), t0 + 100), t0)
    assert.isDefined(read(subject, "x", t0 + 99))
    assert.isUndefined(read(subject, "x", t0 + 100))
    assert.isUndefined(read(subject, "x", t0 + 50))
    assert.deepStrictEqual([...Replica.entries(subject.replica, t0 + 50)], [])
  })

  it("what arrives expired is folded all the same: it supersedes what is older", () => {
    const subject = make()
    Replica.apply(subject.replica, put("x", clockAt(1), b), t0 + 200)
    assert.strictEqual(Replica.apply(subject.replica, expiring(clockAt(2), t0 + 100), t0 + 200), "stored")
    assert.isUndefined(read(subject, "x", t0 + 200))
    assert.strictEqual(Replica.apply(subject.replica, put("x", clockAt(1), b), t0 + 200), "superseded")
  })

  it("is when the newest write says, sooner, later or never, however often it was written anew", () => {
    const random = mulberry32(55)
    const { replica } = make()
    const expiries = new Map<string, number>()
    for (let at = 0; at < 20_000; at++) {
      const key = `k${Math.floor(random() * 40)}`
      const expiresAt = random() < 0.2 ? 0 : t0 + at + 1 + Math.floor(random() ** 3 * 3_000)
      Replica.apply(replica, put(key, clockAt(at), a, { expiresAt }), t0 + at)
      expiries.set(key, expiresAt)
      if (random() < 0.05) {
        Replica.apply(replica, del(key, clockAt(at, 1), a), t0 + at)
        expiries.delete(key)
      }
      Replica.sweep(replica, t0 + at)
      for (const [other, time] of expiries) if (time !== 0 && time <= t0 + at) expiries.delete(other)
      assert.strictEqual(replica.size, expiries.size)
      const next = Math.min(...[...expiries.values()].map((time) => time === 0 ? Infinity : time))
      assert.strictEqual(Replica.nextExpiry(replica), next)
    }
  })

  it("an entry that was freed leaves a tombstone at its own stamp: no copy of it, or of an older one, comes back", () => {
    const subject = make()
    Replica.apply(subject.replica, expiring(clockAt(2), t0 + 100), t0)
    Replica.sweep(subject.replica, t0 + 100)
    assert.strictEqual(subject.replica.size, 0)
    assert.strictEqual(Replica.record(subject.replica, "x")?.clock, clockAt(2))
    for (const event of [put("x", clockAt(2), a), put("x", clockAt(1), b)]) {
      assert.strictEqual(Replica.apply(subject.replica, event, t0 + 100), "superseded")
    }
  })
})

describe("rule 6, tombstone", () => {
  it("is kept until it is a horizon old, and then forgotten", () => {
    const { replica } = make({ tombstoneHorizonMillis: 10_000 })
    Replica.apply(replica, del("x", clockAt(0), a), t0)
    Replica.sweep(replica, t0 + 9_999)
    assert.strictEqual(replica.tombstones, 1)
    // Digests count by quanta of two seconds, and so do tombstones end.
    Replica.sweep(replica, t0 + 12_000)
    assert.strictEqual(replica.tombstones, 0)
  })

  it("there are at most tombstonesMax, the oldest give way, whatever the order in which they came", () => {
    const random = mulberry32(6)
    const { replica } = make({ tombstonesMax: 10 })
    const clocks = shuffled(Array.from({ length: 50 }, (_, index) => index), random)
    for (const at of clocks) Replica.apply(replica, del(`k${at}`, clockAt(at), a), t0)
    assert.strictEqual(replica.tombstones, 10)
    const kept = [...replica.records.values()].map(({ clock }) => clock)
    assert.isAtLeast(Math.min(...kept), clockAt(40))
  })
})

describe("rule 7, forget line", () => {
  it("rises when an entry goes by capacity, and a tombstone by age or budget", () => {
    const evicting = make({ cacheMax: 2 })
    for (const at of [1, 2, 3]) Replica.apply(evicting.replica, put(`k${at}`, clockAt(at), a), t0)
    assert.strictEqual(evicting.replica.forget, clockAt(1))
    const ageing = make({ tombstoneHorizonMillis: 4_000 })
    Replica.apply(ageing.replica, del("x", clockAt(1), a), t0)
    Replica.sweep(ageing.replica, t0 + 10_000)
    assert.strictEqual(ageing.replica.forget, clockAt(1))
    const budget = make({ tombstonesMax: 1 })
    for (const at of [1, 2]) Replica.apply(budget.replica, del(`k${at}`, clockAt(at), a), t0)
    assert.strictEqual(budget.replica.forget, clockAt(1))
  })

  it("an event at or below it is ignored for a key without a record, and follows rule 2 for one with a record", () => {
    const subject = make()
    Replica.apply(subject.replica, put("held", clockAt(1), a), t0)
    subject.replica.forget = clockAt(5)
    assert.strictEqual(Replica.apply(subject.replica, put("unknown", clockAt(5), a), t0), "forgotten")
    assert.strictEqual(Replica.apply(subject.replica, put("held", clockAt(3), a), t0), "stored")
    assert.strictEqual(Replica.apply(subject.replica, put("unknown", clockAt(5, 1), a), t0), "stored")
  })

  it("keys of buckets that are equal at both sides of a repair obey the line of the peer meanwhile", () => {
    const subject = make()
    const hold = { forget: clockAt(5), equal: new Uint8Array(Digest.buckets).fill(1) }
    subject.replica.holds.add(hold)
    assert.strictEqual(Replica.apply(subject.replica, put("x", clockAt(4), a), t0), "forgotten")
    subject.replica.holds.delete(hold)
    // What was dropped raised the forget line: nothing that it made old may come after it. What is newer may.
    assert.strictEqual(Replica.apply(subject.replica, put("x", clockAt(3), a), t0), "forgotten")
    assert.strictEqual(Replica.apply(subject.replica, put("x", clockAt(4), a), t0), "forgotten")
    assert.strictEqual(Replica.apply(subject.replica, put("x", clockAt(4, 1), a), t0), "stored")
  })
})

describe("rule 8, capacity", () => {
  it("the least recently updated goes first, by stamp and not by arrival, and the same at every member", () => {
    const random = mulberry32(8)
    const events = Array.from({ length: 40 }, (_, at) => put(`k${at}`, clockAt(at), a))
    for (let run = 0; run < 50; run++) {
      const subject = make({ cacheMax: 10 })
      for (const event of shuffled(events, random)) Replica.apply(subject.replica, event, t0)
      const kept = [...subject.replica.records.values()].map(({ clock }) => clock)
      // What was dropped raised the forget line; the newest ten are always among those that stay.
      assert.deepStrictEqual([...kept].sort((x, y) => x - y), Array.from({ length: 10 }, (_, at) => clockAt(30 + at)))
    }
  })

  it("the oldest stamp goes first, by its writer where clocks are equal, whatever was written anew meanwhile", () => {
    const random = mulberry32(87)
    const of = <A>(list: ReadonlyArray<A>): A => list[Math.floor(random() * list.length)]
    for (let run = 0; run < 200; run++) {
      const subject = make({ cacheMax: 8, collision: "latest" })
      const model = new Map<Key, Stamp.Stamp>()
      const given = new Set<string>()
      for (let step = 0; step < 200; step++) {
        const event = {
          key: `k${Math.floor(random() * 12)}`,
          clock: clockAt(of([0, step >> 2, step >> 3])),
          writer: of([a, b, c])
        }
        // Nobody gives out a stamp twice.
        if (given.size === given.add(`${event.clock}/${event.writer}`).size) continue
        if (Replica.apply(subject.replica, put(event.key, event.clock, event.writer), t0 + step) !== "stored") continue
        model.set(event.key, event)
        if (model.size > 8) {
          const [first] = [...model].sort(([, x], [, y]) => Stamp.compare(x, y))
          model.delete(first[0])
        }
        assert.sameMembers(Array.from(subject.replica.records.values(), ({ key }) => key), [...model.keys()])
      }
    }
  })

  it("entries and bytes stay within their bounds after every event, and are counted exactly", () => {
    const random = mulberry32(88)
    const { replica } = make({ cacheMax: 20, cacheSizeBytes: 2_000, tombstonesMax: 15 })
    for (let at = 0; at < 5_000; at++) {
      const key = `k${Math.floor(random() * 60)}`
      const dice = random()
      const value = new Uint8Array(Math.floor(random() ** 4 * 2_200))
      const expiresAt = random() < 0.2 ? t0 + at + Math.floor(random() * 50) : 0
      Replica.apply(
        replica,
        dice < 0.8
          ? put(key, clockAt(at), a, { value, expiresAt })
          : dice < 0.99
          ? del(key, clockAt(at), a)
          : clear(clockAt(at - 20)),
        t0 + at
      )
      assert.isAtMost(replica.size, 20)
      assert.isAtMost(replica.bytes, 2_000)
      assert.isAtMost(replica.tombstones, 15)
      const entries = [...replica.records.values()].filter((record) => record.kind === "entry")
      assert.strictEqual(replica.size, entries.length)
      assert.strictEqual(replica.bytes, entries.reduce((sum, { bytes }) => sum + bytes, 0))
      assert.strictEqual(replica.tombstones, replica.records.size - entries.length)
    }
  })

  it("used: the least recently used goes first", () => {
    const subject = make({ mode: 0, cacheMax: 3 })
    for (const at of [1, 2, 3]) Replica.apply(subject.replica, put(`k${at}`, clockAt(at), a, { origin: "local" }), t0)
    const used = Replica.peek(subject.replica, "k1", t0)
    assert.isDefined(used)
    Replica.use(subject.replica, used.slot)
    Replica.apply(subject.replica, put("k4", clockAt(4), a, { origin: "local" }), t0)
    assert.deepStrictEqual([...Replica.entries(subject.replica, t0)].map(({ key }) => key), ["k1", "k3", "k4"])
  })

  it("in mode 0 an evicted key leaves a ghost, which keeps a repair from refilling it", () => {
    const subject = make({ mode: 0, cacheMax: 1 })
    Replica.apply(subject.replica, put("k1", clockAt(1), a, { origin: "local" }), t0)
    Replica.apply(subject.replica, put("k2", clockAt(2), a, { origin: "local" }), t0)
    const ghost = Replica.record(subject.replica, "k1")
    assert.strictEqual(ghost?.kind === "tombstone" && ghost.cause, "ghost")
    Replica.apply(subject.replica, put("k1", clockAt(1), a, { origin: "repair" }), t0)
    assert.isUndefined(read(subject, "k1", t0))
  })
})

describe("rule 9, modes", () => {
  it("partial: others' writes are stored only for keys that are held, but a delete leaves its tombstone", () => {
    const subject = make({ mode: 0 })
    assert.strictEqual(Replica.apply(subject.replica, put("x", clockAt(1), b), t0), "unheld")
    assert.isUndefined(read(subject, "x", t0))
    Replica.apply(subject.replica, put("x", clockAt(2), a, { origin: "local" }), t0)
    assert.strictEqual(Replica.apply(subject.replica, put("x", clockAt(3), b), t0), "stored")
    assert.strictEqual(read(subject, "x", t0), `${clockAt(3)}/${b}`)
    Replica.apply(subject.replica, del("y", clockAt(4), b), t0)
    assert.strictEqual(Replica.record(subject.replica, "y")?.kind, "tombstone")
  })

  it("invalidate: others' writes remove what is older here, and bring nothing; there are no tombstones", () => {
    const subject = make({ mode: 2 })
    const news = (clock: number) => put("x", clock, b, { value: undefined })
    Replica.apply(subject.replica, put("x", clockAt(2), a, { origin: "local" }), t0)
    assert.strictEqual(Replica.apply(subject.replica, news(clockAt(1)), t0), "superseded")
    assert.strictEqual(Replica.apply(subject.replica, news(clockAt(3)), t0), "invalidated")
    assert.isUndefined(read(subject, "x", t0))
    assert.strictEqual(subject.replica.records.size, 0)
  })
})

describe("rule 10, fill", () => {
  for (
    const [what, event] of [
      ["delete", del("x", clockAt(5), b)],
      ["set", put("x", clockAt(5), b)],
      ["clear", clear(clockAt(5), b)]
    ] as const
  ) {
    it(`a ${what} that happened while it was computed wins`, () => {
      const subject = make()
      const begun = Replica.stamp(subject.replica, t0)
      Replica.apply(subject.replica, event, t0 + 5)
      const before = read(subject, "x", t0 + 9)
      Replica.apply(subject.replica, put("x", begun, a, { origin: "fill" }), t0 + 9)
      assert.strictEqual(read(subject, "x", t0 + 9), before)
    })
  }

  it("in mode 2 an invalidation removes fills, also newer ones, but no newer sets", () => {
    for (const [origin, kept] of [["fill", false], ["local", true]] as const) {
      const subject = make({ mode: 2 })
      Replica.apply(subject.replica, put("x", clockAt(2_000), a, { origin }), t0 + 2_000)
      Replica.apply(subject.replica, put("x", clockAt(0), b, { value: undefined }), t0 + 2_000)
      assert.strictEqual(read(subject, "x", t0 + 2_000) !== undefined, kept)
    }
  })
})

describe("all rules together", () => {
  it("what was gone is never read again, and no key goes back, whatever arrives again and whenever", () => {
    const random = mulberry32(10)
    const below = (bound: number): number => Math.floor(random() * bound)
    for (let run = 0; run < 300; run++) {
      const collision = run % 2 === 0 ? "tie" : "latest"
      const subject = make({
        collision,
        cacheMax: 1 + below(4),
        tombstonesMax: 1 + below(4),
        tombstoneHorizonMillis: 4_000 + below(4_000)
      })
      const past: Array<Replica.Event> = []
      const last = new Map<string, { readonly stamp: Stamp.Stamp; present: boolean }>()
      let now = t0
      for (let step = 0; step < 120; step++) {
        now += below(300)
        const at = clockAt(now - t0 - below(400), below(2))
        const key = `k${below(5)}`
        const writer = [a, b, c][below(3)]
        const dice = random()
        const event = dice < 0.4 && past.length > 0
          ? past[below(past.length)]
          : dice < 0.75
          ? put(key, at, writer, { expiresAt: random() < 0.3 ? now + below(2_000) : 0 })
          : dice < 0.97
          ? del(key, at, writer)
          : clear(at, writer)
        past.push(event)
        Replica.apply(subject.replica, event, now)
        if (random() < 0.2) Replica.sweep(subject.replica, now)
        for (let index = 0; index < 5; index++) {
          const name = `k${index}`
          const entry = Replica.peek(subject.replica, name, now)
          const known = last.get(name)
          if (entry === undefined) {
            if (known !== undefined) known.present = false
            continue
          }
          if (known !== undefined) {
            const order = Stamp.compare(entry, known.stamp)
            assert.isTrue(known.present ? order >= 0 : order > 0, `run ${run}, step ${step}: ${name} came back`)
          }
          last.set(name, { stamp: { clock: entry.clock, writer: entry.writer }, present: true })
        }
      }
    }
  })

  it("the digest and the index by bucket are those of what is held", () => {
    const random = mulberry32(11)
    const below = (bound: number): number => Math.floor(random() * bound)
    const { replica } = make({ cacheMax: 30, tombstonesMax: 10, tombstoneHorizonMillis: 5_000 })
    replica.byBucket.recordsOf(0, replica.records, t0)
    for (let at = 0; at < 3_000; at++) {
      const key = random() < 0.8 ? `k${below(80)}` : below(20)
      const dice = random()
      Replica.apply(
        replica,
        dice < 0.7
          ? put(key, clockAt(at, below(2)), [a, b][below(2)], { expiresAt: random() < 0.3 ? t0 + at + below(40) : 0 })
          : dice < 0.995
          ? del(key, clockAt(at), b)
          : clear(clockAt(at - 100)),
        t0 + at
      )
      if (at % 10 === 0) Replica.sweep(replica, t0 + at)
      const fresh = Digest.make()
      for (const record of replica.records.values()) Digest.toggle(fresh, record, 1)
      assert.deepStrictEqual(replica.digest, fresh)
      const listed: Array<Record> = []
      for (let bucket = 0; bucket < Digest.buckets; bucket++) {
        listed.push(...replica.byBucket.recordsOf(bucket, replica.records, t0 + at))
      }
      // The very records: none that was replaced.
      assert.sameMembers(listed, [...replica.records.values()])
    }
  })
})
