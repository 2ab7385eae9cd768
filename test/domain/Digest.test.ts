/** The hashes that digests sum are told between members, whose versions may differ: they are what docs/protocol.md says. */
import { assert, describe, it } from "@effect/vitest"
import * as Digest from "../../src/domain/Digest.ts"
import type { Key } from "../../src/domain/Key.ts"
import { hashOf, Tombstone } from "../../src/domain/Record.ts"

const record = (key: Key, clock: number, writer: string): Tombstone =>
  new Tombstone(key, hashOf(key), clock, writer.repeat(32), "delete", 0)

describe("a digest", () => {
  it("sums the hashes that other versions sum, whatever the order", () => {
    const summed: ReadonlyArray<readonly [Tombstone, string]> = [
      [record("user:1", Number.MAX_SAFE_INTEGER, "a"), "a32fc89da71d0dcb"],
      [record(42, 1, "b"), "384cf73b581490b5"],
      [record("ключ", 2 ** 48 + 2 ** 31 + 5, "0"), "d0f4f5ec70803f09"],
      [record(-1.5, 2 ** 32 - 1, "f"), "2abd97b024882728"]
    ]
    const digest = Digest.make()
    for (const [one, sum] of summed) {
      Digest.toggle(digest, one, 1)
      assert.strictEqual(Digest.hash(digest), sum)
    }
    Digest.toggle(digest, summed[0][0], -1)
    assert.strictEqual(Digest.hash(digest), "878dcf137d6b195d")
    assert.strictEqual(digest.count, 3)
    for (const [one] of summed.slice(1)) Digest.toggle(digest, one, -1)
    assert.deepStrictEqual(digest, Digest.make())
  })
})
