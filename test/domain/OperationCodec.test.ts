/** Operations on the wire: everything round-trips, nothing that is not an operation passes, and the bytes do not change. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import type { Operation } from "../../src/domain/Operation.ts"
import { tags } from "../../src/domain/Operation.ts"
import * as OperationCodec from "../../src/domain/OperationCodec.ts"
import * as WriteCodec from "../../src/domain/WriteCodec.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"
import { examples, random } from "./support/Operations.ts"

const sender = "a".repeat(32)

const encode = (operation: Operation): Uint8Array =>
  operation._tag === "PUT" || operation._tag === "DEL" || operation._tag === "CLEAR"
    ? WriteCodec.encode(operation, sender)
    : OperationCodec.encodeControl(operation)

const seeded = (seed: number): (bound: number) => number => {
  const next = mulberry32(seed)
  return (bound) => Math.floor(next() * bound)
}

describe("every operation", () => {
  it("has an example here", () => {
    assert.sameMembers([...new Set(Object.values(examples).map(({ _tag }) => _tag))], Object.keys(tags))
  })

  it("round-trips", () => {
    const below = seeded(1)
    const seen = new Set<string>()
    for (let run = 0; run < 5_000; run++) {
      const operation = random(below)
      seen.add(operation._tag)
      const record = encode(operation)
      assert.strictEqual(record[0], tags[operation._tag])
      assert.deepStrictEqual(OperationCodec.decode(record, sender), operation)
    }
    assert.sameMembers([...seen], Object.keys(tags))
  })

  it("truncated or with flipped bits is refused or is another valid operation, and never throws", () => {
    const below = seeded(2)
    for (const operation of Object.values(examples)) {
      const record = encode(operation)
      for (let length = 0; length < record.length; length++) {
        const decoded = OperationCodec.decode(record.subarray(0, length), sender)
        // A PUT's value reaches to the end of the record, whose length the framing tells.
        if (operation._tag !== "PUT") assert.notDeepEqual(decoded, operation)
      }
      for (let bit = 0; bit < record.length * 8; bit++) {
        const flipped = record.slice()
        flipped[bit >> 3] ^= 1 << (bit & 7)
        const decoded = OperationCodec.decode(flipped, sender)
        if (decoded !== undefined) assert.property(tags, decoded._tag)
      }
      for (let run = 0; run < 200; run++) {
        const garbage = Uint8Array.from({ length: below(80) }, () => below(256))
        if (garbage.length > 0) garbage[0] = record[0]
        OperationCodec.decode(garbage, sender)
      }
    }
  })
})

describe("bounds", () => {
  const refused = (record: Uint8Array): void => assert.isUndefined(OperationCodec.decode(record, sender))

  it("keys that cannot be are refused: empty, too long, not finite, malformed UTF-8", () => {
    const record = (operation: Operation): Uint8Array => encode(operation)
    const base = { _tag: "DEL", namespace: "n", clock: 1, writer: sender } as const
    refused(record({ ...base, key: "" }))
    refused(record({ ...base, key: "x".repeat(4_097) }))
    refused(record({ ...base, key: NaN }))
    const malformed = record({ ...base, key: "xy" })
    malformed[malformed.length - 1] = 0xff
    refused(malformed)
    assert.isDefined(OperationCodec.decode(record({ ...base, key: "x".repeat(4_096) }), sender))
  })

  it("clocks beyond 2^53 and unknown tags, flags and trailing bytes are refused", () => {
    const clear = encode({ _tag: "CLEAR", namespace: "n", clock: Number.MAX_SAFE_INTEGER, writer: sender })
    assert.isDefined(OperationCodec.decode(clear, sender))
    const beyond = clear.slice()
    beyond[4] = 0x20
    refused(beyond)
    const flags = clear.slice()
    flags[1] = 16
    refused(flags)
    refused(Uint8Array.of(...clear, 0))
    for (const tag of [0, 21, 255]) refused(Uint8Array.of(tag, 0, 0, 0))
  })

  it("more NACK ranges than one message holds are refused", () => {
    const ranges = Array.from({ length: 65 }, (_, index) => ({ from: index + 1, to: index + 1 }))
    assert.throws(() => encode({ _tag: "NACK", ranges }))
  })
})

describe("the bytes of each operation", () => {
  // The wire is a promise: a change here is a new version of the protocol.
  const fixtures = new URL("../fixtures/wire/operations.json", import.meta.url)
  const golden: { readonly [name: string]: string } = JSON.parse(readFileSync(fixtures, "utf8"))

  it("are fixed for every example, and nothing else", () => {
    assert.sameMembers(Object.keys(golden), Object.keys(examples))
  })

  for (const [name, operation] of Object.entries(examples)) {
    it(`${name}: encode to the fixture, and the fixture decodes to it`, () => {
      assert.strictEqual(Buffer.from(encode(operation)).toString("hex"), golden[name])
      assert.deepStrictEqual(OperationCodec.decode(Buffer.from(golden[name], "hex"), sender), operation)
    })
  }
})
