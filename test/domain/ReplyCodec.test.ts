/** The answers that carry records: they round-trip, and of other bytes nothing comes that a donor could not say. */
import { assert, describe, it } from "@effect/vitest"
import * as Packed from "../../src/domain/Packed.ts"
import type * as Repair from "../../src/domain/Repair.ts"
import * as ReplyCodec from "../../src/domain/ReplyCodec.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"
import * as Loose from "./support/Loose.ts"

const writers = ["a", "b", "f"].map((digit) => digit.repeat(32))
const statuses = ["ok", "closed", "later", "options"] as const
const greatest = Number.MAX_SAFE_INTEGER

const seeded = (seed: number): (bound: number) => number => {
  const next = mulberry32(seed)
  return (bound) => Math.floor(next() * bound)
}

const keys = ["k", "\ufeff", "ключ 🔑", "k".repeat(4_096), "é".repeat(2_048), 0, -1.5, Number.MAX_VALUE, 5e-324]

const stamped = (below: (bound: number) => number) => ({
  key: below(2) === 0 ? `key-${below(1_000)}` : keys[below(keys.length)],
  clock: [0, 1, greatest, below(greatest)][below(4)],
  writer: writers[below(writers.length)],
  kind: below(5) as Repair.Kind
})

const listingOf = (below: (bound: number) => number): ReplyCodec.ListingReply => ({
  status: statuses[below(4)],
  bucket: below(256),
  floor: below(greatest),
  forget: below(2) * greatest,
  items: Array.from({ length: below(30) }, () => ({ ...stamped(below), bytes: below(2) * below(greatest) }))
})

const copiesOf = (below: (bound: number) => number): ReplyCodec.CopiesReply => ({
  status: statuses[below(4)],
  copies: Array.from({ length: below(30) }, () => {
    // An entry has a value, a tombstone none.
    const kind = below(2) === 0 ? 0 : 1 + below(4) as Repair.Kind
    const value = kind > 0
      ? undefined
      : Uint8Array.from({ length: [0, 1, 200, 1_025, 5_000][below(5)] }, () => below(256))
    return {
      ...stamped(below),
      kind,
      expiresAt: below(2) * below(2 ** 48),
      crc: value === undefined ? 0 : below(2 ** 32),
      value: value && Packed.copy(value, 0, value.length)
    }
  })
})

describe("an answer of a donor", () => {
  it("round-trips", () => {
    const below = seeded(1)
    for (let run = 0; run < 500; run++) {
      const [listing, copies] = [listingOf(below), copiesOf(below)]
      assert.deepStrictEqual(ReplyCodec.listing.decode(ReplyCodec.listing.encode(listing)), listing)
      const decoded = ReplyCodec.copies.decode(ReplyCodec.copies.encode(copies))
      // A large value is a view of what came.
      const packed = decoded?.copies.map((copy) => ({
        ...copy,
        value: copy.value && Packed.copy(Packed.bytes(copy.value), 0, copy.value.length)
      }))
      assert.strictEqual(decoded?.status, copies.status)
      assert.deepStrictEqual(packed, copies.copies)
    }
  })

  it("truncated is none, and with any bytes changed or added none or another, that can be encoded", () => {
    const below = seeded(2)
    const codecs = [
      [ReplyCodec.listing, listingOf],
      [ReplyCodec.copies, copiesOf]
    ] as const
    for (const [codec, make] of codecs) {
      const { decode } = codec
      const encode = codec.encode as (answer: unknown) => Uint8Array
      let refused = 0
      for (let run = 0; run < 500; run++) {
        const bytes = encode(make(below))
        assert.isUndefined(decode(bytes.subarray(0, below(bytes.length))))
        assert.isUndefined(decode(Uint8Array.of(...bytes.subarray(0, 20_000), 0)))
        for (let change = below(4); change >= 0; change--) bytes[below(bytes.length)] ^= 1 << below(8)
        const answer = decode(bytes)
        if (answer === undefined) refused++
        else assert.deepStrictEqual(decode(encode(answer)), answer)
      }
      assert.isAbove(refused, 50)
      assert.isBelow(refused, 500)
    }
  })

  it("may be of noise, and is hardly ever one", () => {
    const below = seeded(3)
    for (let run = 0; run < 5_000; run++) {
      const noise = Uint8Array.from({ length: below(80) }, () => below(below(2) === 0 ? 256 : 4))
      for (const { decode } of [ReplyCodec.listing, ReplyCodec.copies]) assert.doesNotThrow(() => decode(noise))
    }
  })
})

describe("what no donor can say", () => {
  const stamp = { clock: 1, writer: 0, kind: 0 }
  const listing = (item: Partial<Parameters<typeof Loose.listing>[0]["items"][number]>, floor = 0) =>
    ReplyCodec.listing.decode(Loose.listing({
      status: "ok",
      bucket: 0,
      floor,
      forget: 0,
      writers: [writers[0]],
      items: [{ ...stamp, key: "k", bytes: 9, ...item }]
    }))
  const copies = (copy: Partial<Parameters<typeof Loose.copies>[0]["copies"][number]>) =>
    ReplyCodec.copies.decode(Loose.copies({
      status: "ok",
      writers: [writers[0]],
      copies: [{ ...stamp, key: "k", expiresAt: 0, crc: 0, value: new Uint8Array(1), ...copy }]
    }))

  it("is nothing of this", () => {
    for (const key of keys) {
      assert.strictEqual(listing({ key })?.items[0].key, key)
      assert.strictEqual(copies({ key })?.copies[0].key, key)
    }
    for (const kind of [0, 1, 2, 3, 4]) {
      assert.strictEqual(listing({ kind })?.items[0].kind, kind)
      const value = kind === 0 ? new Uint8Array(1) : undefined
      assert.strictEqual(copies({ kind, value })?.copies[0].kind, kind)
      // An entry has a value, a tombstone none.
      assert.isUndefined(copies({ kind, value: kind === 0 ? undefined : new Uint8Array(1) }))
    }
    assert.strictEqual(listing({ clock: greatest })?.items[0].clock, greatest)
    assert.strictEqual(copies({ clock: greatest })?.copies[0].clock, greatest)
  })

  it("is a key that no user could give: it would be held by all, and nobody could delete it", () => {
    for (const key of ["", "k".repeat(4_097), "é".repeat(2_049), NaN, Infinity, -Infinity]) {
      assert.isUndefined(listing({ key }), String(key))
      assert.isUndefined(copies({ key }), String(key))
    }
  })

  it("is malformed UTF-8, a lone surrogate among it", () => {
    for (const malformed of ["80", "c080", "eda080", "ff", "f8888080", "e282"]) {
      const bytes = Buffer.from(malformed, "hex")
      const key = "~".repeat(bytes.length)
      for (
        const [codec, answer] of [
          [ReplyCodec.listing, { status: "ok", bucket: 0, floor: 0, forget: 0, items: [{ key, bytes: 1 }] }],
          [ReplyCodec.copies, { status: "ok", copies: [{ key, expiresAt: 0, crc: 0, value: "v" }] }]
        ] as const
      ) {
        const stamp = { clock: 1, writer: writers[0], kind: 0 }
        const records = ("items" in answer ? answer.items : answer.copies).map((record) => ({ ...stamp, ...record }))
        const encoded = (codec.encode as (answer: unknown) => Uint8Array)({
          ...answer,
          items: records,
          copies: records
        })
        assert.isDefined(codec.decode(encoded))
        encoded.set(bytes, Buffer.from(encoded).indexOf(key))
        assert.isUndefined(codec.decode(encoded), malformed)
      }
    }
  })

  it("is a kind, a flag or a status that there is not, a writer beyond the table, or a clock beyond 2^53 - 1", () => {
    for (const kind of [5, 15]) {
      assert.isUndefined(listing({ kind }))
      assert.isUndefined(copies({ kind }))
    }
    for (const writer of [1, 2 ** 40]) {
      assert.isUndefined(listing({ writer }))
      assert.isUndefined(copies({ writer }))
    }
    assert.isUndefined(listing({ clock: greatest + 1 }))
    assert.isUndefined(copies({ clock: greatest + 1 }))
    assert.isUndefined(listing({}, greatest + 1))
    const listed = Loose.listing({ status: "ok", bucket: 0, floor: 0, forget: 0, writers: [], items: [] })
    assert.isDefined(ReplyCodec.listing.decode(listed))
    listed[0] = 4
    assert.isUndefined(ReplyCodec.listing.decode(listed))
    for (const flag of [2, 4, 8]) {
      const bytes = ReplyCodec.listing.encode({
        status: "ok",
        bucket: 0,
        floor: 0,
        forget: 0,
        items: [{ key: "k", clock: 1, writer: writers[0], kind: 0, bytes: 1 }]
      })
      assert.strictEqual(bytes[34], 0)
      bytes[34] |= flag
      assert.isUndefined(ReplyCodec.listing.decode(bytes), `flag ${flag}`)
    }
  })

  it("is more than its bytes hold: nothing is made for what is only claimed", () => {
    // As many writers, items or copies as a varint can say.
    const many = "ffffffffffffff0f"
    for (const claimed of [many, `00${many}`]) {
      const before = process.memoryUsage().arrayBuffers
      const bytes = Buffer.from(claimed, "hex")
      const lines = Buffer.alloc(16)
      assert.isUndefined(ReplyCodec.copies.decode(Buffer.concat([Buffer.of(0), bytes])))
      assert.isUndefined(ReplyCodec.listing.decode(Buffer.concat([lines, bytes])))
      assert.isBelow(process.memoryUsage().arrayBuffers - before, 1_000_000)
    }
    // A value that is longer than the answer.
    const copy = Buffer.from(ReplyCodec.copies.encode({
      status: "ok",
      copies: [{ key: "k", clock: 1, writer: writers[0], kind: 0, expiresAt: 0, crc: 0, value: "v" }]
    }))
    copy[copy.length - 2] = 2
    assert.isUndefined(ReplyCodec.copies.decode(copy))
  })
})
