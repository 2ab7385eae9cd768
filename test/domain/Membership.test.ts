/** Who is there, and what time it is, held against the plain definitions. */
import { assert, describe, it } from "@effect/vitest"
import * as Membership from "../../src/domain/Membership.ts"
import * as Protocol from "../../src/domain/Protocol.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"

const idOf = (index: number): string => index.toString(16).padStart(8, "0").repeat(4)

const make = (timings: Partial<Membership.Timings> = {}) =>
  Membership.make(idOf(0x8000_0000), { ...Protocol.make(), ...timings })

const add = (
  membership: Membership.Membership,
  index: number,
  nowMillis: number,
  { elder = false, id = idOf(index), offsetMillis = 0, ready = true } = {}
): Membership.Member =>
  Membership.add(membership, {
    id,
    address: `address ${index}`,
    host: "host",
    pid: index,
    thread: 0,
    version: "1",
    ready,
    elder,
    offsetMillis
  }, nowMillis)

const ids = (members: ReadonlyArray<Membership.Member>): ReadonlyArray<string> => members.map(({ id }) => id)

describe("silence", () => {
  it("makes suspect after 5 s and removes after 15 s, over random words and stalls of this process", () => {
    let [suspected, removed, recovered] = [0, 0, 0]
    for (let seed = 1; seed <= 40; seed++) {
      const random = mulberry32(seed)
      const membership = make()
      /** Since when each is silent, and whether it is suspect. */
      const model = new Map<number, { heard: number; suspect: boolean }>()
      let now = 1_000
      for (let step = 0; step < 300; step++) {
        now += random() < 0.1 ? random() * 6_000 : random() * 500
        const index = 1 + Math.floor(random() * 5)
        const known = model.get(index)
        const member = membership.members.get(idOf(index))
        const chance = random()
        if (chance < 0.3 && known === undefined) {
          add(membership, index, now)
          model.set(index, { heard: now, suspect: false })
        } else if (chance < 0.5 && known !== undefined && member !== undefined) {
          // Words may be judged after others that came later.
          const at = now - random() * 3_000
          if (known.suspect) recovered++
          assert.strictEqual(Membership.hear(member, at), known.suspect, `seed ${seed}`)
          model.set(index, { heard: Math.max(known.heard, at), suspect: false })
        } else if (chance < 0.55) {
          const late = 500 + random() * 20_000
          now += late
          Membership.forgive(membership, late)
          for (const one of model.values()) one.heard += late
        } else {
          const judged = Membership.tick(membership, now)
          const gone = [...model].filter(([, { heard }]) => now - heard >= 15_000)
          for (const [gonner] of gone) model.delete(gonner)
          const silent = [...model].filter(([, { heard, suspect }]) => !suspect && now - heard >= 5_000)
          for (const [, one] of silent) one.suspect = true
          assert.sameMembers([...ids(judged.removed)], gone.map(([one]) => idOf(one)), `seed ${seed}`)
          assert.sameMembers([...ids(judged.suspected)], silent.map(([one]) => idOf(one)), `seed ${seed}`)
          suspected += silent.length
          removed += gone.length
        }
        assert.sameMembers([...membership.members.keys()], [...model.keys()].map(idOf), `seed ${seed}`)
        for (const [one, { suspect }] of model) {
          assert.strictEqual(membership.members.get(idOf(one))?.suspect, suspect, `seed ${seed}`)
        }
      }
    }
    assert.isAbove(suspected, 100)
    assert.isAbove(removed, 20)
    assert.isAbove(recovered, 50)
  })

  it("is judged to the millisecond", () => {
    const membership = make()
    const member = add(membership, 1, 1_000)
    assert.deepStrictEqual(Membership.tick(membership, 5_999), { suspected: [], removed: [] })
    assert.deepStrictEqual(Membership.tick(membership, 6_000), { suspected: [member], removed: [] })
    assert.deepStrictEqual(Membership.tick(membership, 6_001), { suspected: [], removed: [] })
    assert.deepStrictEqual(Membership.tick(membership, 15_999), { suspected: [], removed: [] })
    assert.deepStrictEqual(Membership.tick(membership, 16_000), { suspected: [], removed: [member] })
    assert.strictEqual(membership.members.size, 0)
  })

  it("of this process's own making is nobody's fault, and gives nobody more than that time", () => {
    const membership = make()
    const lively = add(membership, 1, 0)
    const silent = add(membership, 2, 0)
    Membership.hear(lively, 4_000)
    // Stopped from 4,000 to 64,000, when all that was said meanwhile was lost.
    Membership.forgive(membership, 60_000)
    assert.deepStrictEqual(Membership.tick(membership, 64_500), { suspected: [], removed: [] })
    assert.deepStrictEqual(ids(Membership.tick(membership, 65_000).suspected), [silent.id])
    assert.deepStrictEqual(ids(Membership.tick(membership, 69_000).suspected), [lively.id])
    assert.deepStrictEqual(ids(Membership.tick(membership, 75_000).removed), [silent.id])
    assert.deepStrictEqual(ids(Membership.tick(membership, 79_000).removed), [lively.id])
  })
})

describe("the clock", () => {
  /** The lower median, as defined: at least half are not less, and of two in the middle the lesser. */
  const lowerMedian = (numbers: ReadonlyArray<number>): number =>
    numbers.toSorted((x, y) => x - y)[Math.ceil(numbers.length / 2) - 1]

  it("follows the lower median of those that are ready, itself included once it is", () => {
    let [kept, corrected] = [0, 0]
    for (let seed = 1; seed <= 1_000; seed++) {
      const random = mulberry32(seed)
      const membership = make()
      const self = random() < 0.5
      const offsets: Array<number> = self ? [0] : []
      for (let index = 1; index <= Math.floor(random() * 8); index++) {
        const offsetMillis = Math.round((random() - 0.5) * 800)
        const ready = random() < 0.7
        add(membership, index, 0, { offsetMillis, ready })
        if (ready) offsets.push(offsetMillis)
      }
      // Two have no majority: see the next but one.
      const median = offsets.length === 0 || (self && offsets.length === 2) ? 0 : lowerMedian(offsets)
      const correction = Membership.correction(membership, self, 0)
      assert.strictEqual(correction, Math.abs(median) <= 125 ? 0 : median, `seed ${seed}: ${offsets.join()}`)
      if (correction === 0) kept++
      else corrected++
    }
    assert.isAbove(kept, 100)
    assert.isAbove(corrected, 100)
  })

  it("is its own within 125 ms, and to come back to it needs more than to leave it", () => {
    const at = (offsetMillis: number, current: number): number => {
      const membership = make()
      add(membership, 1, 0, { offsetMillis })
      return Membership.correction(membership, false, current)
    }
    for (const sign of [1, -1]) {
      assert.strictEqual(at(sign * 125, 0), 0)
      assert.strictEqual(at(sign * 125.5, 0), sign * 125.5)
      assert.strictEqual(at(sign * 124, sign * 126), sign * 124)
      assert.strictEqual(at(sign * 100.5, sign * 126), sign * 100.5)
      assert.strictEqual(at(sign * 100, sign * 126), 0)
    }
  })

  it("of two ready members that are apart moves at the younger only, whichever is ahead", () => {
    for (const apart of [126, 400, 30_000, -126, -30_000]) {
      const [elder, younger] = [make(), make()]
      add(younger, 1, 0, { offsetMillis: apart, elder: true })
      add(elder, 1, 0, { offsetMillis: -apart, elder: false })
      const corrections = [Membership.correction(elder, true, 0), Membership.correction(younger, true, 0)]
      assert.deepStrictEqual(corrections, [0, apart])
    }
  })

  it("of another is told by the least delayed of its recent words, in periods of half a second", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = mulberry32(seed)
      const member = add(make(), 1, 0)
      const samples: Array<{ at: number; offset: number }> = []
      let now = 0
      for (let step = 0; step < 100; step++) {
        now += random() * 700
        // The true offset is 40; delay makes it seem less.
        const offset = 40 - random() * 100
        Membership.sampleOffset(member, offset, now)
        const last = samples.at(-1)
        if (last !== undefined && now - last.at < 500) last.offset = Math.max(last.offset, offset)
        else samples.push({ at: now, offset })
        const recent = samples.slice(-8).map((sample) => sample.offset)
        assert.strictEqual(member.offsetMillis, Math.max(...recent), `seed ${seed}`)
        assert.isAtMost(member.samples.length, 8)
      }
    }
  })

  it("of another survives a flood of old words after a pause", () => {
    const member = add(make(), 1, 0)
    for (let now = 0; now < 10_000; now += 1_000) Membership.sampleOffset(member, 3, now)
    for (let count = 0; count < 100; count++) Membership.sampleOffset(member, -60_000 + count, 70_000 + count)
    assert.strictEqual(member.offsetMillis, 3)
  })

  it("of another is followed when it is set back, after eight periods", () => {
    const member = add(make(), 1, 0)
    for (let now = 0; now < 10_000; now += 1_000) Membership.sampleOffset(member, 500, now)
    for (let now = 10_000; now < 17_000; now += 1_000) Membership.sampleOffset(member, 0, now)
    assert.strictEqual(member.offsetMillis, 500)
    Membership.sampleOffset(member, 0, 17_000)
    assert.strictEqual(member.offsetMillis, 0)
  })
})

describe("a joiner", () => {
  it("is welcomed by at most three members that see alike, and by one at least", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = mulberry32(seed)
      const cluster = Array.from({ length: 1 + Math.floor(random() * 12) }, () => Math.floor(random() * 2 ** 32))
      const joiner = idOf(Math.floor(random() * 2 ** 32))
      const ready = new Set(cluster.filter((_, index) => index === 0 || random() < 0.7))
      const welcoming = [...ready].filter((own) => {
        const membership = Membership.make(idOf(own), Protocol.make())
        for (const other of cluster) if (other !== own) add(membership, other, 0, { ready: ready.has(other) })
        // That it knows the joiner already changes nothing.
        if (random() < 0.5) add(membership, 1, 0, { id: joiner })
        return Membership.welcomes(membership, joiner, 3)
      })
      assert.strictEqual(welcoming.length, Math.min(3, ready.size), `seed ${seed}`)
    }
  })

  it("is welcomed by others in place of those that are suspect", () => {
    const cluster = [1, 2, 3, 4]
    const joiner = idOf(0)
    const welcomes = (own: number, suspects: ReadonlyArray<number>): boolean => {
      const membership = Membership.make(idOf(own), Protocol.make())
      for (const other of cluster) {
        if (other !== own) add(membership, other, 0).suspect = suspects.includes(other)
      }
      return Membership.welcomes(membership, joiner, 3)
    }
    assert.deepStrictEqual(cluster.filter((own) => welcomes(own, [])), [1, 2, 3])
    assert.isTrue(welcomes(4, [2]))
  })

  it("that starts with others is the lowest to exactly one of them", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = mulberry32(seed)
      const cluster = Array.from({ length: 1 + Math.floor(random() * 6) }, () => Math.floor(random() * 2 ** 32))
      const lowest = cluster.filter((own) => {
        const membership = Membership.make(idOf(own), Protocol.make())
        for (const other of cluster) if (other !== own) add(membership, other, 0)
        return Membership.isLowest(membership)
      })
      assert.deepStrictEqual(lowest, [Math.min(...cluster)], `seed ${seed}`)
    }
  })
})
