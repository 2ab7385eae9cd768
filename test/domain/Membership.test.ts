/** Who is in the cluster, and what time it is. */
import { assert, describe, it } from "@effect/vitest"
import * as Membership from "../../src/domain/Membership.ts"

const timings = { suspectMillis: 5_000, removeMillis: 15_000, clockKeepMillis: 125 }
const self = "5".repeat(32)

const cluster = (offsets: Readonly<Record<string, number>> = { a: 0 }) => {
  const membership = Membership.make(self, timings)
  for (const [letter, offsetMillis] of Object.entries(offsets)) {
    Membership.add(membership, {
      id: letter.repeat(32),
      address: letter,
      host: "host",
      pid: 1,
      version: "1",
      ready: true,
      offsetMillis
    }, 0)
  }
  return { membership, of: (letter: string) => membership.members.get(letter.repeat(32)) ?? assert.fail(letter) }
}

describe("silence", () => {
  it("makes a member suspect after 5 s, once, and removes it after 15 s", () => {
    const { membership } = cluster()
    assert.deepStrictEqual(Membership.tick(membership, 4_999), { suspected: [], removed: [] })
    assert.lengthOf(Membership.tick(membership, 5_000).suspected, 1)
    assert.lengthOf(Membership.tick(membership, 5_001).suspected, 0)
    assert.lengthOf(Membership.tick(membership, 14_999).removed, 0)
    assert.lengthOf(Membership.tick(membership, 15_000).removed, 1)
    assert.strictEqual(membership.members.size, 0)
  })

  it("ends with any sign of life, which is not undone by an older one", () => {
    const { membership, of } = cluster()
    Membership.tick(membership, 6_000)
    assert.isTrue(Membership.hear(of("a"), 6_500))
    assert.isFalse(Membership.hear(of("a"), 1_000))
    assert.strictEqual(of("a").heardMillis, 6_500)
    assert.lengthOf(Membership.tick(membership, 11_499).suspected, 0)
  })

  it("that was this member's own is not held against the others", () => {
    const { membership } = cluster()
    Membership.forgive(membership, 60_000)
    assert.deepStrictEqual(Membership.tick(membership, 60_000), { suspected: [], removed: [] })
    assert.lengthOf(Membership.tick(membership, 75_000).removed, 1)
  })
})

describe("the clock", () => {
  it("is the lower median of those that are ready, this member's own included once it is one of them", () => {
    const { membership, of } = cluster({ a: 1_000, b: 2_000, c: 3_000 })
    assert.strictEqual(Membership.correction(membership, false, 0), 2_000)
    assert.strictEqual(Membership.correction(membership, true, 0), 1_000)
    of("a").ready = false
    assert.strictEqual(Membership.correction(membership, true, 0), 2_000)
    assert.strictEqual(Membership.correction(cluster({}).membership, true, 0), 0)
  })

  it("stays this member's own within 125 ms, and returns to it only when well within", () => {
    const at = (offset: number, current: number): number =>
      Membership.correction(cluster({ a: offset, b: offset }).membership, true, current)
    assert.strictEqual(at(125, 0), 0)
    assert.strictEqual(at(126, 0), 126)
    assert.strictEqual(at(-126, 0), -126)
    assert.strictEqual(at(110, 130), 110)
    assert.strictEqual(at(99, 130), 0)
  })

  it("is judged by the greatest of the last samples, as delay only makes them smaller", () => {
    const { of } = cluster()
    const a = of("a")
    for (const [index, offset] of [-30, -5, -80].entries()) Membership.sampleOffset(a, offset, index * 1_000)
    assert.strictEqual(a.offsetMillis, -5)
    for (let index = 3; index < 12; index++) Membership.sampleOffset(a, -50, index * 1_000)
    assert.strictEqual(a.offsetMillis, -50)
  })

  it("samples that come together count as one: a full socket after a pause pushes out no good ones", () => {
    const { of } = cluster()
    const a = of("a")
    for (let index = 0; index < 8; index++) Membership.sampleOffset(a, -1, index * 1_000)
    for (let index = 0; index < 92; index++) Membership.sampleOffset(a, -8_000 + index * 80, 16_000 + index / 10)
    assert.strictEqual(a.offsetMillis, -1)
    assert.isAtMost(a.samples.length, 8)
  })
})

describe("who answers a joiner", () => {
  it("as many members as may, the same ones whoever computes it, of those that are ready and not suspect", () => {
    const letters = ["0", "1", "2", "3", "4", "6", "7", "8", "9", "a", "b", "c"]
    const joiner = "d".repeat(32)
    let answering = 0
    for (const own of letters) {
      const membership = Membership.make(own.repeat(32), timings)
      for (const letter of [...letters, "d"]) {
        if (letter === own) continue
        const id = letter.repeat(32)
        Membership.add(membership, {
          id,
          address: "",
          host: "",
          pid: 1,
          version: "",
          ready: letter !== "d",
          offsetMillis: 0
        }, 0)
      }
      if (Membership.welcomes(membership, joiner, 3)) answering++
    }
    assert.strictEqual(answering, 3)
  })
})
