/** Writes of a body lean on each other: what comes out is what went in, each body by itself, and nothing else passes. */
import { assert, describe, it } from "@effect/vitest"
import type { Put, Write } from "../../src/domain/Operation.ts"
import * as Stamp from "../../src/domain/Stamp.ts"
import * as WriteCodec from "../../src/domain/WriteCodec.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"

const sender = "a".repeat(32)
const today = Stamp.fromMillis(1_790_000_000_000)

const put: Put = {
  _tag: "PUT",
  namespace: "users",
  key: "user:1",
  clock: today,
  writer: sender,
  expiresAt: Stamp.toMillis(today) + 3_600_000,
  crc: 0xdead_beef,
  value: "\u00a3Ada"
}

/** The records of one body. */
const encodeAll = (writes: ReadonlyArray<Write>, encoder = new WriteCodec.Encoder(sender)): Array<Uint8Array> => {
  encoder.startBody()
  return writes.map((write) => {
    const value = write._tag === "PUT" ? write.value : undefined
    const record = new Uint8Array(encoder.bytes(write._tag, write.namespace, write, value))
    encoder.write(write._tag, write.namespace, write, value, record, 0)
    return record
  })
}

const decode = (record: Uint8Array, preceding: WriteCodec.Preceding): Write | undefined =>
  WriteCodec.decode(record, sender, 0, record.length, preceding)

const decodeAll = (records: ReadonlyArray<Uint8Array>): ReadonlyArray<Write | undefined> => {
  const preceding = new WriteCodec.Preceding()
  return records.map((record) => decode(record, preceding))
}

describe("the writes of a body", () => {
  it("come out as they went in, of several namespaces, clocks, lifetimes and writers", () => {
    const random = mulberry32(1)
    const below = (bound: number): number => Math.floor(random() * bound)
    const pick = <A>(list: ReadonlyArray<A>): A => list[below(list.length)]
    const encoder = new WriteCodec.Encoder(sender)
    let leaning = 0
    let lasting = 0
    for (let body = 0; body < 500; body++) {
      let clock = pick([0, 1, today, today, today, Number.MAX_SAFE_INTEGER])
      const writes = Array.from({ length: 1 + below(20) }, (): Write => {
        const step = pick([1, 1, 1, 4_096, -1, -70_000, 2 ** 31 - 1, 1 - 2 ** 31, 2 ** 31, -(2 ** 31), 2 ** 45])
        clock = Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, clock + step))
        const stamp = { clock, writer: pick([sender, sender, "b".repeat(32)]), namespace: pick(["n", "n", "n", "mé"]) }
        const key = pick<string | number>(["k", "ключ", -1.5])
        const kind = below(10)
        if (kind === 0) return { _tag: "CLEAR", ...stamp }
        if (kind === 1) return { _tag: "DEL", key, ...stamp }
        const expiresAt = pick([0, 1, Stamp.toMillis(clock) + pick([3_600_000, 3_600_000, 5, -5])])
        return { _tag: "PUT", key, ...stamp, expiresAt, crc: below(2 ** 32), value: pick([undefined, "", "\u00a3Ada"]) }
      })
      const records = encodeAll(writes, encoder)
      assert.deepStrictEqual(decodeAll(records), writes)
      leaning += records.filter(([, flags]) => (flags & 16) !== 0).length
      lasting += records.filter(([, flags]) => (flags & 32) !== 0).length
    }
    assert.isAbove(leaning, 1_000)
    assert.isAbove(lasting, 300)
  })

  it("tell neither the namespace, nor the clock's high bits, nor the expiry of one like the one before again", () => {
    const next = { ...put, key: "user:2", clock: today + 1 }
    const [first, second] = encodeAll([put, next])
    // 1 + 5 of the name and 6 of 7 of the clock; 6 of the expiry.
    assert.strictEqual(first.length - second.length, 18)
    assert.strictEqual(second.length, WriteCodec.encode(next, sender).length - 18)
  })

  it("of another body have nothing to lean on", () => {
    const [, second] = encodeAll([put, { ...put, key: "user:2", clock: today + 1 }])
    assert.isUndefined(decodeAll([second])[0])
  })

  it("behind one that is refused have nothing to lean on: they would be read as what they are not", () => {
    const next = { ...put, key: "user:2", clock: today + 1 }
    const [first, second, third] = encodeAll([put, next, { ...put, key: "user:3", clock: today + 2 }])
    for (
      const damaged of [
        second.subarray(0, 2),
        second.subarray(0, 8),
        second.with(1, second[1] | 64),
        second.with(2, 0xff)
      ]
    ) {
      assert.deepStrictEqual(decodeAll([first, damaged, third]), [put, undefined, undefined])
    }
    const malformed = second.slice()
    malformed.fill(0xff, 5, 11)
    const preceding = new WriteCodec.Preceding()
    assert.deepStrictEqual(decode(first, preceding), put)
    assert.throws(() => decode(malformed, preceding))
    assert.isUndefined(decode(third, preceding))
  })

  it("whose clocks are nine minutes apart do not lean", () => {
    const far = { ...put, clock: today + 2 ** 31, expiresAt: 0 }
    const [, record] = encodeAll([put, far])
    assert.deepStrictEqual(record, WriteCodec.encode(far, sender))
  })
})

describe("what leans and is refused", () => {
  const [first, second] = encodeAll([put, { ...put, key: "user:2", clock: today + 1 }])
  const behind = (record: Uint8Array): unknown => decodeAll([first, record])[1]

  it("its difference is 2^31 or more, or cut off, or leads below 0 or above 2^53 - 1", () => {
    assert.isDefined(behind(second))
    const differing = (...difference: ReadonlyArray<number>): Uint8Array =>
      Uint8Array.of(...second.subarray(0, 2), ...difference, ...second.subarray(3))
    // 2^32 - 2 is 2^31 - 1, 2^32 is 2^31; 2^32 - 3 and 2^32 - 1 are the same below zero.
    assert.isDefined(behind(differing(0xfe, 0xff, 0xff, 0xff, 0x0f)))
    assert.isUndefined(behind(differing(0x80, 0x80, 0x80, 0x80, 0x10)))
    assert.isDefined(behind(differing(0xfd, 0xff, 0xff, 0xff, 0x0f)))
    assert.isUndefined(behind(differing(0xff, 0xff, 0xff, 0xff, 0x0f)))
    assert.isUndefined(behind(second.subarray(0, 2)))
    assert.isUndefined(behind(Uint8Array.of(second[0], second[1], 0x80)))
    for (const [clock, difference] of [[0, 1], [Number.MAX_SAFE_INTEGER, 2]]) {
      const [edge, next] = encodeAll([{ ...put, expiresAt: 0, clock }, { ...put, expiresAt: 0, clock }])
      assert.deepStrictEqual(decodeAll([edge, next])[1], { ...put, expiresAt: 0, clock })
      assert.isUndefined(decodeAll([edge, next.with(2, difference)])[1])
    }
  })

  it("it expires twice, or after the lifetime of nothing, or before time began, or after its end", () => {
    assert.isUndefined(behind(second.with(1, second[1] | 8)))
    const lasting = second.with(1, second[1] | 32)
    const [never] = encodeAll([{ ...put, expiresAt: 0 }])
    assert.isUndefined(decodeAll([never, lasting])[1])
    const early = { ...put, clock: 4_096, expiresAt: 1 }
    const [before, after] = encodeAll([early, { ...early, clock: 0, expiresAt: 0 }])
    assert.isDefined(decodeAll([before, after])[1])
    assert.isUndefined(decodeAll([before, after.with(1, after[1] | 32)])[1])
    const late = { ...put, clock: today, expiresAt: 2 ** 48 - 1 }
    const [last, within, beyond] = encodeAll([late, late, { ...late, clock: today + 4_096, expiresAt: 0 }])
    assert.deepStrictEqual(decodeAll([last, within])[1], late)
    assert.isDefined(decodeAll([last, beyond])[1])
    assert.isUndefined(decodeAll([last, beyond.with(1, beyond[1] | 32)])[1])
  })

  it("a DEL or a CLEAR has an expiry", () => {
    const del = { ...put, _tag: "DEL" } as const
    const clear = { _tag: "CLEAR", namespace: "users", clock: today, writer: sender } as const
    for (const write of [del, clear]) {
      const [, record] = encodeAll([put, write])
      assert.isDefined(behind(record))
      assert.isUndefined(behind(record.with(1, record[1] | 32)))
    }
  })
})
