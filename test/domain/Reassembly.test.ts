/** Parts that come twice, late, or not at all. */
import { assert, describe, it } from "@effect/vitest"
import { checksum } from "../../src/domain/Checksum.ts"
import * as Framing from "../../src/domain/Framing.ts"
import * as Reassembly from "../../src/domain/Reassembly.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"
import { shuffled } from "./support/Replicas.ts"

const megabyte = 1_048_576

const partsOf = (records: ReadonlyArray<Uint8Array>, bodyBytesMax: number): ReadonlyArray<Framing.Part> => {
  const packer = new Framing.Packer({ bodyBytesMax, ids: Framing.makeRecordIds() })
  const parts: Array<Framing.Part> = []
  for (const pieces of records.flatMap((record) => packer.add(record))) {
    Framing.readBody(Framing.controlBody(pieces), {
      data: () => assert.fail("no data"),
      whole: () => assert.fail("a whole record"),
      part: (part) => parts.push(part)
    })
  }
  return parts
}

const make = (budget = Reassembly.makeBudget(64 * megabyte), bytesMaxPerSender = 64 * megabyte) =>
  Reassembly.make({ recordBytesMax: () => megabyte, bytesMaxPerSender, idleMillis: 100, budget })

const recordOf = (bytes: number, salt: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, index) => index * 31 + salt + (index >> 8))

describe("reassembly", () => {
  it("gives each record once and whole, of up to 1 MiB and thousands of parts, when parts come repeated and in any order", () => {
    const random = mulberry32(1)
    for (
      const [bodyBytesMax, sizes] of [[64, [20_000, 65, 63]], [1_425, [megabyte, 1_500]], [65_000, [megabyte]]] as const
    ) {
      const records = sizes.map(recordOf)
      const parts = partsOf(records, bodyBytesMax)
      const reassembly = make()
      const arrived: Array<Uint8Array> = []
      // One part of each record comes last: until then, repetitions of all the others change nothing.
      const last = new Map(parts.map((part) => [part.recordId, part]))
      const others = parts.filter((part) => last.get(part.recordId) !== part)
      for (const part of shuffled([...others, ...others, ...others], random)) {
        assert.strictEqual(Reassembly.offer(reassembly, part, 0)._tag, "Partial")
      }
      // Charged is the room of each record, and each part.
      const room = records.reduce((sum, { length }) => sum + length, 0)
      assert.isAtMost(reassembly.bytes - 128 * others.length, room)
      assert.isAtLeast(reassembly.bytes - 128 * others.length, others.reduce((sum, part) => sum + part.bytes.length, 0))
      for (const part of last.values()) {
        const offer = Reassembly.offer(reassembly, part, 0)
        if (offer._tag === "Whole") arrived.push(offer.record)
      }
      assert.lengthOf(arrived, records.length)
      for (const [index, record] of arrived.entries()) assert.isTrue(Buffer.from(record).equals(records[index]))
      assert.strictEqual(Reassembly.used(reassembly.budget), 0)
    }
  })

  it("of dropped parts gives nothing, lets go of the rest when idle, and takes no more of that record", () => {
    const random = mulberry32(2)
    const record = recordOf(50_000, 3)
    const parts = partsOf([record], 500)
    const reassembly = make()
    for (const part of parts) {
      if (random() < 0.9) assert.strictEqual(Reassembly.offer(reassembly, part, 0)._tag, "Partial")
    }
    Reassembly.expire(reassembly, 100)
    assert.strictEqual(reassembly.partials.size, 1)
    Reassembly.expire(reassembly, 101)
    assert.strictEqual(reassembly.partials.size, 0)
    assert.strictEqual(Reassembly.used(reassembly.budget), 0)
    // What came counts as taken, and never comes again: what is left must not count so, too.
    for (const part of parts) assert.strictEqual(Reassembly.offer(reassembly, part, 200)._tag, "Full")
    const anew = parts.map((part) => Reassembly.offer(reassembly, { ...part, recordId: part.recordId + 1 }, 200)._tag)
    assert.strictEqual(anew.at(-1), "Whole")
  })

  it("gives its share of the common budget back when the sender goes", () => {
    const budget = Reassembly.makeBudget(18_000 + 3 * 128)
    const [gone, stays] = [make(budget), make(budget)]
    const parts = partsOf([recordOf(9_000, 0)], 1_400)
    for (const part of parts.slice(0, 2)) assert.strictEqual(Reassembly.offer(gone, part, 0)._tag, "Partial")
    assert.strictEqual(Reassembly.offer(stays, parts[0], 0)._tag, "Partial")
    assert.strictEqual(Reassembly.offer(stays, parts[1], 0)._tag, "Full")
    Reassembly.dropAll(gone)
    assert.strictEqual(Reassembly.used(budget), stays.bytes)
    assert.strictEqual(Reassembly.offer(stays, parts[1], 0)._tag, "Partial")
  })

  it("is idle since its last part, not since its first", () => {
    const parts = partsOf([recordOf(3_000, 0)], 1_000)
    const reassembly = make()
    Reassembly.offer(reassembly, parts[0], 0)
    Reassembly.offer(reassembly, parts[1], 90)
    Reassembly.expire(reassembly, 190)
    assert.strictEqual(reassembly.partials.size, 1)
    Reassembly.expire(reassembly, 191)
    assert.strictEqual(reassembly.partials.size, 0)
  })

  const part = (offset: number, bytes: number, more: Partial<Framing.Part> = {}): Framing.Part => ({
    recordId: 1,
    total: 20,
    offset,
    crc: 0,
    bytes: new Uint8Array(bytes),
    ...more
  })

  it("keeps no more than twice what arrived, or a quarter of a megabyte, whatever a part claims", () => {
    const total = megabyte
    const kept = (reassembly: Reassembly.Reassembly, parts: number): number => reassembly.bytes - 128 * parts
    for (const order of ["forwards", "backwards", "shuffled"] as const) {
      const record = recordOf(total, 5)
      const parts = partsOf([record], 8_192)
      const arriving = order === "shuffled"
        ? shuffled(parts, mulberry32(4))
        : order === "forwards"
        ? parts
        : parts.toReversed()
      const reassembly = make()
      let arrived = 0
      for (const [index, part] of arriving.entries()) {
        const offer = Reassembly.offer(reassembly, part, 0)
        arrived += part.bytes.length
        if (index === arriving.length - 1) assert.deepStrictEqual(offer, { _tag: "Whole", record })
        else {
          assert.strictEqual(offer._tag, "Partial")
          // In the buffer, and aside.
          assert.isAtMost(kept(reassembly, index + 1), Math.max(262_144, 2 * arrived) + arrived, order)
          assert.isAtLeast(kept(reassembly, index + 1), arrived, order)
        }
      }
      assert.strictEqual(reassembly.bytes, 0)
    }
    const far = make()
    assert.strictEqual(Reassembly.offer(far, part(total - 1, 1, { total }), 0)._tag, "Partial")
    assert.strictEqual(kept(far, 1), 1)
    const small = make(Reassembly.makeBudget(262_144 + 128))
    assert.strictEqual(Reassembly.offer(small, part(0, 1, { total }), 0)._tag, "Partial")
    assert.strictEqual(Reassembly.offer(small, part(1, 1, { total }), 0)._tag, "Full")
    assert.strictEqual(Reassembly.offer(make(Reassembly.makeBudget(262_144)), part(0, 1, { total }), 0)._tag, "Full")
  })

  it("works on 1,024 records of a sender at most", () => {
    const reassembly = make()
    for (let recordId = 1; recordId <= 1_024; recordId++) {
      assert.strictEqual(Reassembly.offer(reassembly, part(0, 1, { recordId }), 0)._tag, "Partial")
    }
    assert.strictEqual(Reassembly.offer(reassembly, part(0, 1, { recordId: 1_025 }), 0)._tag, "Full")
    assert.strictEqual(Reassembly.offer(reassembly, part(1, 1, { recordId: 1_024 }), 0)._tag, "Partial")
  })

  it("keeps parts when the datagrams that they came in are overwritten", () => {
    const record = recordOf(3_000, 7)
    const reassembly = make()
    const offers = partsOf([record], 1_000).map((each) => {
      const offer = Reassembly.offer(reassembly, each, 0)
      each.bytes.fill(0)
      return offer
    })
    const last = offers.at(-1)
    assert.deepStrictEqual(last, { _tag: "Whole", record })
  })

  it("of parts that disagree, overlap or leave holes gives nothing but corruption", () => {
    const last = (...parts: ReadonlyArray<Framing.Part>): string | undefined => {
      const reassembly = make()
      const offers = parts.map((each) => Reassembly.offer(reassembly, each, 0)._tag)
      Reassembly.dropAll(reassembly)
      assert.strictEqual(Reassembly.used(reassembly.budget), 0)
      return offers.at(-1)
    }
    // None of these is complete: it is the part that is refused.
    assert.strictEqual(last(part(0, 5), part(5, 5)), "Partial")
    assert.strictEqual(last(part(0, 5), part(5, 5, { total: 21 })), "Corrupt")
    assert.strictEqual(last(part(0, 5), part(5, 5, { crc: 1 })), "Corrupt")
    assert.strictEqual(last(part(0, 5), part(0, 6)), "Corrupt")
    assert.strictEqual(last(part(0, 5), part(19, 2)), "Corrupt")
    // These add up to the total, and the checksum is right, too: zeros all over.
    const crc = checksum(new Uint8Array(20))
    assert.strictEqual(last(part(0, 15, { crc }), part(15, 5, { crc })), "Whole")
    assert.strictEqual(last(part(0, 15, { crc }), part(10, 5, { crc })), "Corrupt")
    assert.strictEqual(last(part(1, 15, { crc }), part(15, 5, { crc })), "Corrupt")
    // They fit, but are not of one record: the checksum tells.
    assert.strictEqual(last(part(0, 15, { crc: crc + 1 }), part(15, 5, { crc: crc + 1 })), "Corrupt")
  })

  it("of very many tiny parts does not stall the receiver when the last one comes", () => {
    const count = 400_000
    const crc = checksum(new Uint8Array(count))
    const reassembly = make()
    const offsets = shuffled(Array.from({ length: count }, (_, index) => index), mulberry32(3))
    const last = offsets.pop() ?? 0
    const begun = process.cpuUsage()
    const partial = offsets.filter((offset) =>
      Reassembly.offer(reassembly, part(offset, 1, { total: count, crc }), 0)._tag === "Partial"
    )
    const taken = process.cpuUsage(begun)
    assert.lengthOf(partial, count - 1)
    const completing = process.cpuUsage()
    const whole = Reassembly.offer(reassembly, part(last, 1, { total: count, crc }), 0)
    const completed = process.cpuUsage(completing)
    assert.strictEqual(whole._tag, "Whole")
    // In time of the processor, as others may use it, too. Sorting them takes as long as taking them.
    assert.isBelow(completed.user, taken.user / 2)
  })

  it("moves what came a few times only, wherever parts lie", () => {
    const total = megabyte
    for (const from of [0, 262_144, 300_000]) {
      const reassembly = make()
      const rooms = new Set<number>()
      const offer = (offset: number): void => {
        assert.strictEqual(Reassembly.offer(reassembly, part(offset, 64, { total }), 0)._tag, "Partial")
        rooms.add(reassembly.partials.get(1)?.record.length ?? 0)
      }
      // As many as let it grow; then each of the following would let it grow a little.
      for (let offset = 0; offset <= 131_072; offset += 64) offer(offset)
      for (let offset = Math.max(from, 131_072 + 64); offset < total - 64; offset += 64) offer(offset)
      assert.isAtMost(rooms.size, 4, `from ${from}`)
    }
  })

  it("keeps copies, also of what lies in the platform's buffers", () => {
    const record = recordOf(5_000, 1)
    const reassembly = make()
    const offers = partsOf([record], 1_425).map((part) => {
      // As a socket gives them: `slice` of a `Buffer` is a view.
      const datagram = Buffer.concat([Buffer.alloc(60_000), part.bytes])
      const offer = Reassembly.offer(reassembly, { ...part, bytes: datagram.subarray(60_000) }, 0)
      datagram.fill(0)
      return offer
    })
    const last = offers.at(-1)
    assert.strictEqual(last?._tag, "Whole")
    if (last?._tag === "Whole") assert.deepStrictEqual(last.record, record)
  })

  it("tells with which number the records that are not complete began", () => {
    const reassembly = make()
    const [first, second] = [partsOf([recordOf(5_000, 1)], 1_425), partsOf([recordOf(5_000, 2)], 1_425)]
    const offer = (part: Framing.Part | undefined, recordId: number, number: number) =>
      part && Reassembly.offer(reassembly, { ...part, recordId }, 0, number)._tag
    assert.strictEqual(Reassembly.firstIncomplete(reassembly), Infinity)
    for (const [at, part] of first.slice(1).entries()) offer(part, 1, 20 + at)
    assert.strictEqual(Reassembly.firstIncomplete(reassembly), 20)
    // Parts come in any order.
    offer(second[0], 2, 17)
    offer(second[1], 2, 15)
    assert.strictEqual(Reassembly.firstIncomplete(reassembly), 15)
    for (const [at, part] of second.slice(2).entries()) offer(part, 2, 30 + at)
    assert.strictEqual(Reassembly.firstIncomplete(reassembly), 20)
    assert.strictEqual(offer(first[0], 1, 40), "Whole")
    assert.strictEqual(Reassembly.firstIncomplete(reassembly), Infinity)
  })
})
