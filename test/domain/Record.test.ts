import { assert, describe, it } from "@effect/vitest"
import { crc32 } from "node:zlib"
import { Entry } from "../../src/domain/Record.ts"
import type { Put } from "../../src/domain/ReplicaEvent.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"

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

const read = (entry: Entry): ReadonlyArray<unknown> => [
  entry.key,
  entry.clock,
  entry.writer,
  entry.expiresAt,
  entry.crc,
  entry.value,
  entry.bytes,
  entry.filled,
  entry.updatedAt
]

describe("an entry", () => {
  it("takes a newer write as one that is made of it, with all of its numbers as they are", () => {
    const random = mulberry32(1)
    const whole = (): number => Math.floor(random() * 2 ** Math.floor(random() * 54))
    const subject = new Entry("key", 1, write, "", 0)
    for (let run = 0; run < 10_000; run++) {
      const value = "v".repeat(run % 7)
      const newer: Put = {
        ...write,
        clock: whole(),
        writer: `${run % 3}`.repeat(32),
        expiresAt: whole(),
        crc: Math.floor(random() * 2 ** 32),
        value,
        origin: random() < 0.5 ? "fill" : "remote"
      }
      const now = whole()
      subject.rewrite(newer, value, now)
      const { clock, crc, expiresAt, key, origin, writer } = newer
      const expected = [key, clock, writer, expiresAt, crc, value, 3 + value.length, origin === "fill", now]
      assert.deepStrictEqual(read(subject), expected)
      assert.deepStrictEqual(read(new Entry("key", 1, newer, value, now)), expected)
    }
  })

  it("sums a value that nobody summed when that is asked for; of one that is gone, if that was foreseen", () => {
    const entry = new Entry("key", 1, { ...write, crc: undefined }, "one", 0)
    assert.strictEqual(entry.crc, crc32("one"))
    entry.rewrite({ ...write, crc: undefined }, "two", 0)
    assert.strictEqual(entry.crc, crc32("two"))
    entry.rewrite({ ...write, crc: undefined }, "three", 0)
    entry.release(true)
    assert.strictEqual(entry.value, "")
    assert.strictEqual(entry.crc, crc32("three"))
    const unasked = new Entry("key", 1, { ...write, crc: undefined }, "four", 0)
    unasked.release(false)
    assert.strictEqual(unasked.value, "")
    assert.throws(() => unasked.crc)
  })
})
