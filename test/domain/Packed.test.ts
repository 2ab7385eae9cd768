import { assert, describe, it } from "@effect/vitest"
import * as Packed from "../../src/domain/Packed.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"

interface Slice {
  readonly bytes: Uint8Array
  readonly from: number
  readonly to: number
}

/** Either side of the size at which values stop being strings, in arrays and buffers that may hold much more. */
const slices = function*(): Generator<Slice> {
  const random = mulberry32(1)
  const below = (bound: number): number => Math.floor(random() * bound)
  for (
    const size of [
      0,
      1,
      2,
      63,
      64,
      65,
      1_023,
      1_024,
      1_025,
      9_000,
      ...Array.from({ length: 200 }, () => below(2_000))
    ]
  ) {
    const from = below(20)
    const after = below(3) === 0 ? 50_000 : below(20)
    const bytes = Uint8Array.from({ length: from + size + after }, () => below(256))
    yield { bytes: below(2) === 0 ? bytes : Buffer.from(bytes), from, to: from + size }
  }
}

describe("packed bytes", () => {
  it("are those that were given, wherever they are written", () => {
    for (const { bytes, from, to } of slices()) {
      const expected = Uint8Array.from(bytes.subarray(from, to))
      for (const packed of [Packed.copy(bytes, from, to), Packed.hold(bytes, from, to)]) {
        assert.strictEqual(packed.length, to - from)
        assert.strictEqual(Packed.first(packed), expected[0])
        assert.deepStrictEqual(Uint8Array.from(Packed.bytes(packed)), expected)
        for (const target of [new Uint8Array(packed.length + 10), Buffer.alloc(packed.length + 10)]) {
          Packed.write(packed, target, 5)
          assert.deepStrictEqual(Uint8Array.from(target), Uint8Array.of(0, 0, 0, 0, 0, ...expected, 0, 0, 0, 0, 0))
        }
      }
    }
  })

  it("share nothing with what they were copied from", () => {
    for (const { bytes, from, to } of slices()) {
      const packed = Packed.copy(bytes, from, to)
      const before = Uint8Array.from(Packed.bytes(packed))
      bytes.fill(0)
      assert.deepStrictEqual(Uint8Array.from(Packed.bytes(packed)), before)
    }
  })

  it("keep no more memory than four times their size", () => {
    for (const { bytes, from, to } of slices()) {
      const packed = Packed.hold(bytes, from, to)
      if (typeof packed !== "string") assert.isAtMost(packed.buffer.byteLength, 4 * packed.length)
    }
  })
})
