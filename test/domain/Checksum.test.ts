import { assert, describe, it } from "@effect/vitest"
import { crc32 } from "node:zlib"
import { checksum } from "../../src/domain/Checksum.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"

describe("a checksum", () => {
  it("is CRC-32, of an array as of a string of one byte a character, at every length", () => {
    const random = mulberry32(1)
    for (let length = 0; length <= 400; length++) {
      const bytes = Uint8Array.from({ length }, () => Math.floor(256 * random()))
      assert.strictEqual(checksum(bytes), crc32(bytes))
      assert.strictEqual(checksum(Buffer.from(bytes).toString("latin1")), crc32(bytes))
      assert.strictEqual(checksum(bytes.subarray(length >> 1)), crc32(bytes.subarray(length >> 1)))
    }
  })
})
