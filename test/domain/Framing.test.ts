/** Records in bodies, whole or in parts, and their way back. */
import { assert, describe, it } from "@effect/vitest"
import * as Framing from "../../src/domain/Framing.ts"
import * as Reassembly from "../../src/domain/Reassembly.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"
import { dataBody } from "./support/Bodies.ts"
import { shuffled } from "./support/Replicas.ts"

const megabyte = 1_048_576

const seeded = (seed: number) => {
  const random = mulberry32(seed)
  return { random, below: (bound: number): number => Math.floor(random() * bound) }
}

const recordOf = (bytes: number, below: (bound: number) => number): Uint8Array => {
  const record = new Uint8Array(bytes)
  for (let index = 0; index < bytes; index += 97) record[index] = below(256)
  return record
}

/** The bodies of records, as data with numbers from 1. */
const bodiesOf = (records: ReadonlyArray<Uint8Array>, bodyBytesMax: number): ReadonlyArray<Uint8Array> => {
  const packer = new Framing.Packer({ bodyBytesMax, ids: Framing.makeRecordIds() })
  const pieces = records.flatMap((record) => packer.add(record))
  const rest = packer.flush()
  return (rest === undefined ? pieces : [...pieces, rest]).map((piece, index) => dataBody(index + 1, piece, false))
}

const receiver = (bytesMax = 64 * megabyte, budget = Reassembly.makeBudget(bytesMax)) => {
  const reassembly = Reassembly.make({ recordBytesMax: () => 32 * megabyte, bytesMaxPerSender: bytesMax, budget })
  const records: Array<Uint8Array> = []
  const offers: Array<string> = []
  const numbers: Array<number> = []
  const read = (body: Uint8Array, nowMillis = 0): boolean =>
    Framing.readBody(body, {
      data: (number) => numbers.push(number),
      whole: (bytes, start, end) => records.push(bytes.slice(start, end)),
      part: (part) => {
        const offer = Reassembly.offer(reassembly, part, nowMillis)
        offers.push(offer._tag)
        if (offer._tag === "Whole") records.push(offer.record.slice())
      }
    })
  return { reassembly, budget, records, offers, numbers, read }
}

describe("records in bodies", () => {
  it("have the margins that were asked for around each body, which no other one shares", () => {
    const { below } = seeded(3)
    const records = Array.from({ length: 400 }, () => recordOf(below(3_000), below))
    const options = { bodyBytesMax: 1_000, prefixBytes: 9 }
    const [margins, ids] = [{ before: 36, after: 4 }, Framing.makeRecordIds]
    const plain = new Framing.Packer({ ...options, ids: ids() })
    const spacious = new Framing.Packer({ ...options, ids: ids(), margins })
    const bodies = records.flatMap((record) => spacious.add(record))
    const copies = bodies.map((body) => body.slice())
    for (const { buffer, byteOffset, length } of bodies) {
      new Uint8Array(buffer, byteOffset - margins.before, margins.before).fill(0xee)
      new Uint8Array(buffer, byteOffset + length, margins.after).fill(0xee)
    }
    assert.deepEqual(bodies, copies)
    const bytes = (body: Uint8Array): Uint8Array => body.subarray(options.prefixBytes)
    assert.deepEqual(bodies.map(bytes), records.flatMap((record) => plain.add(record)).map(bytes))
  })

  it("arrive as they were, whatever their size and that of the bodies, in any order, with repetitions", () => {
    const { below, random } = seeded(1)
    for (let run = 0; run < 150; run++) {
      const bodyBytesMax = [64, 470, 1_425, 8_000, 65_000][below(5)]
      const sizes = Array.from(
        { length: 1 + below(12) },
        () => Math.floor(random() ** 4 * (bodyBytesMax < 100 ? 9_000 : 300_000))
      )
      const records = sizes.map((size) => recordOf(size, below))
      const bodies = bodiesOf(records, bodyBytesMax)
      for (const body of bodies) assert.isAtMost(body.length, bodyBytesMax + Framing.bodyPrefixBytes.data)
      const { numbers, read, reassembly, records: arrived } = receiver()
      // A number is read once: repetitions are dropped before, by number.
      for (const body of shuffled(bodies, random)) assert.isTrue(read(body))
      assert.sameMembers(numbers, bodies.map((_, index) => index + 1))
      const key = (record: Uint8Array): string => Buffer.from(record).toString("latin1")
      assert.sameMembers(arrived.map(key), records.map(key))
      assert.strictEqual(reassembly.bytes, 0)
      assert.strictEqual(reassembly.partials.size, 0)
    }
  })

  it("share a body while they fit, and are cut into as many parts as it takes", () => {
    const { below } = seeded(2)
    assert.lengthOf(bodiesOf(Array.from({ length: 10 }, () => recordOf(100, below)), 1_400), 1)
    const parts = bodiesOf([recordOf(5_000_000, below)], 1_425)
    assert.isAbove(parts.length, 3_000)
  })

  it("ask to be acknowledged at once by the top bit of the number, which is not part of it", () => {
    const seen: Array<readonly [number, boolean]> = []
    for (const [number, asks] of [[1, true], [2 ** 46, true], [2 ** 46, false]] as const) {
      Framing.readBody(dataBody(number, new Uint8Array(0), asks), {
        data: (read, asked) => seen.push([read, asked]),
        whole: () => undefined,
        part: () => undefined
      })
    }
    assert.deepStrictEqual(seen, [[1, true], [2 ** 46, true], [2 ** 46, false]])
  })

  it("truncated or with flipped bits never throw", () => {
    const { below } = seeded(3)
    const bodies = [
      ...bodiesOf([recordOf(300, below), recordOf(20, below)], 200),
      Framing.controlBody(new Uint8Array(0))
    ]
    for (const body of bodies) {
      for (let length = 0; length <= body.length; length++) receiver().read(body.subarray(0, length))
      for (let bit = 0; bit < body.length * 8; bit++) {
        const flipped = body.slice()
        flipped[bit >> 3] ^= 1 << (bit & 7)
        receiver().read(flipped)
      }
    }
    for (let run = 0; run < 5_000; run++) receiver().read(Uint8Array.from({ length: below(60) }, () => below(256)))
  })
})

describe("reassembly", () => {
  const part = (recordId: number, total: number, offset: number, bytes: number, crc = 1) => ({
    recordId,
    total,
    offset,
    crc,
    bytes: new Uint8Array(bytes)
  })

  it("takes no more memory than its bounds, per sender and in all, whatever parts claim", () => {
    const { below, random } = seeded(4)
    const budget = Reassembly.makeBudget(30_000)
    const senders = Array.from(
      { length: 5 },
      () => Reassembly.make({ recordBytesMax: () => megabyte, bytesMaxPerSender: 10_000, idleMillis: 100, budget })
    )
    let refused = 0
    for (let step = 0; step < 20_000; step++) {
      const sender = senders[below(5)]
      const total = 1 + Math.floor(random() ** 3 * 2 * megabyte)
      const offset = below(total)
      const offer = Reassembly.offer(
        sender,
        part(below(50), total, offset, Math.min(1 + below(1_400), total - offset), below(3)),
        step
      )
      if (offer._tag === "Full" || offer._tag === "TooLarge") refused++
      assert.isAtMost(Reassembly.used(budget), 30_000)
      for (const each of senders) assert.isAtMost(each.bytes, 10_000)
      assert.strictEqual(Reassembly.used(budget), senders.reduce((sum, { bytes }) => sum + bytes, 0))
      if (step % 500 === 0) { for (const each of senders) Reassembly.expire(each, step) }
    }
    assert.isAbove(refused, 0)
    // Nothing comes any more: all of it is let go of.
    for (const each of senders) Reassembly.expire(each, 1_000_000)
    assert.strictEqual(Reassembly.used(budget), 0)
  })

  it("a record larger than any namespace is skipped, and one with a wrong checksum is corrupt", () => {
    const { below } = seeded(5)
    const { offers, reassembly } = receiver()
    const small = Reassembly.make({
      recordBytesMax: () => 1_000,
      bytesMaxPerSender: megabyte,
      budget: Reassembly.makeBudget(megabyte)
    })
    assert.strictEqual(Reassembly.offer(small, part(1, 1_001, 0, 100), 0)._tag, "TooLarge")
    assert.lengthOf(offers, 0)
    for (const body of bodiesOf([recordOf(5_000, below)], 1_000)) {
      Framing.readBody(body, {
        data: () => undefined,
        whole: () => undefined,
        part: (each) => {
          const bytes = each.bytes.slice()
          bytes[0] ^= 1
          offers.push(Reassembly.offer(reassembly, { ...each, bytes }, 0)._tag)
        }
      })
    }
    assert.strictEqual(offers.at(-1), "Corrupt")
    assert.strictEqual(reassembly.bytes, 0)
  })
})
