import { assert, describe, it } from "@effect/vitest"
import { Tombstone } from "../../src/domain/Record.ts"
import { StampHeap } from "../../src/domain/StampHeap.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"

const writer = "a".repeat(32)

describe("records by stamp", () => {
  for (const [name, lateShare] of [["in order", 0], ["some out of order", 0.2], ["in any order", 1]] as const) {
    it(`${name}: the first is the least that is held, whatever was added and released`, () => {
      for (let seed = 1; seed <= 20; seed++) {
        const random = mulberry32(seed)
        const heap = new StampHeap<Tombstone>((a, b) => a.clock < b.clock)
        const held = new Set<Tombstone>()
        for (let step = 0; step < 3_000; step++) {
          if (random() < 0.52) {
            const clock = random() < lateShare ? Math.floor(3_000 * random()) : step
            const record = new Tombstone(step, 0, clock, writer, "delete", 0)
            heap.add(record)
            held.add(record)
          } else if (held.size > 0) {
            // The first, as eviction does, or any, as an update does.
            const record = random() < 0.5 ? heap.peek() : [...held][Math.floor(held.size * random())]
            assert.isDefined(record)
            record.held = false
            held.delete(record)
            heap.released()
          }
          if (step % 7 > 0) continue
          const least = Math.min(...[...held].map(({ clock }) => clock))
          assert.strictEqual(heap.peek()?.clock ?? Infinity, least)
        }
      }
    })
  }
})
