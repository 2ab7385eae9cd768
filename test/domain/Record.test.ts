import { assert, describe, it } from "@effect/vitest"
import { Entry, freshTime, glanceMarginMillis } from "../../src/domain/Record.ts"
import type { Put } from "../../src/domain/ReplicaEvent.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"
import { t0 } from "./support/Replicas.ts"

const write: Put = {
  _tag: "Put",
  key: "key",
  clock: 1,
  writer: "a".repeat(32),
  expiresAt: 0,
  crc: 0xffff_fff0,
  value: "",
  origin: "local"
}

const entry = (expiresAt: number): Entry => new Entry("key", 1, { ...write, expiresAt }, "", t0)

const day = 86_400_000

describe("an entry", () => {
  it("tells when it was looked up last, to the millisecond, however long ago", () => {
    const random = mulberry32(1)
    const subject = entry(0)
    assert.isUndefined(subject.lookedUpAt)
    for (let run = 0; run < 10_000; run++) {
      const at = t0 + Math.floor(random() * 365 * 40 * day)
      subject.lookUp(at)
      assert.strictEqual(subject.lookedUpAt, at)
    }
  })

  it("takes a newer write as one that is made of it", () => {
    const subject = entry(t0 + day)
    subject.lookUp(t0)
    subject.decoded = 1
    const newer: Put = { ...write, clock: 2, writer: "b".repeat(32), crc: 3, value: "abc", origin: "fill" }
    subject.rewrite(newer, "abc", t0 + 1)
    const anew = new Entry("key", 1, newer, "abc", t0 + 1)
    const read = (entry: Entry): ReadonlyArray<unknown> => [
      entry.clock,
      entry.writer,
      entry.expiresAt,
      entry.freshUntil,
      entry.crc,
      entry.value,
      entry.bytes,
      entry.filled,
      entry.decoded,
      entry.updatedAt,
      entry.lookedUpAt
    ]
    assert.deepStrictEqual(read(subject), read(anew))
    assert.deepStrictEqual([subject.clock, subject.crc, subject.updatedAt], [2, 3, t0 + 1])
  })

  it("keeps a checksum of 32 bits as it is", () => assert.strictEqual(entry(0).crc, 0xffff_fff0))

  it("is fresh only while its expiry is further away than a glance may lag", () => {
    const random = mulberry32(2)
    let fresh = 0
    for (let run = 0; run < 10_000; run++) {
      const spread = run % 2 === 0 ? 60_000 : 365 * 40 * day
      const [expiresAt, now] = [t0 + Math.floor(random() * spread), t0 + Math.floor(random() * spread)]
      const isFresh = freshTime(now) < entry(expiresAt).freshUntil
      if (isFresh) assert.isAbove(expiresAt - now, 9_999)
      // And most of what is far from its expiry is.
      if (expiresAt - now > glanceMarginMillis + 2_048) assert.isTrue(isFresh)
      if (isFresh) fresh++
    }
    assert.isAbove(fresh, 1_000)
    assert.isTrue(freshTime(t0 + 365 * 60 * day) < entry(0).freshUntil)
  })
})
