import { assert, describe, it } from "@effect/vitest"
import { Entry } from "../../src/domain/Record.ts"
import type { Put } from "../../src/domain/ReplicaEvent.ts"
import { StampHeap } from "../../src/domain/StampHeap.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"

const writers = ["a", "b", "c"].map((letter) => letter.repeat(32))

const orders = [["in order", 0], ["some out of order", 0.2], ["in any order", 1]] as const

describe.for([true, false])("records by stamp, those of one stamp in order: %s", (exact) => {
  for (const [name, lateShare] of orders) {
    it(`${name}: the first is the least that is held, whatever was added, changed and released`, () => {
      for (let seed = 1; seed <= 20; seed++) {
        const random = mulberry32(seed)
        const heap = new StampHeap<Entry>(({ clock }) => clock, exact)
        const held = new Set<Entry>()
        const write = (step: number): Put => ({
          _tag: "Put",
          key: step,
          // Many under one clock value.
          clock: Math.floor((random() < lateShare ? 3_000 * random() : step) / 3),
          writer: writers[Math.floor(random() * writers.length)],
          expiresAt: 0,
          crc: 0,
          value: "",
          origin: "local"
        })
        for (let step = 0; step < 3_000; step++) {
          const kind = random()
          if (kind < 0.4 || held.size === 0) {
            const record = new Entry(step, Math.imul(step, 0x9e37_79b1), write(step), "", 0)
            heap.add(record)
            held.add(record)
          } else {
            // The first, as eviction does, or any, as an update does.
            const record = random() < 0.5 ? heap.peek() : [...held][Math.floor(held.size * random())]
            assert.isDefined(record)
            const newer = write(step)
            if (kind < 0.7 && newer.clock > record.clock) {
              record.rewrite(newer, "", 0)
            } else {
              record.held = false
              held.delete(record)
              heap.released()
            }
          }
          if (step % 7 > 0) continue
          const [least] = [...held].sort((a, b) =>
            a.clock - b.clock || (a.writer < b.writer ? -1 : a.writer > b.writer ? 1 : a.keyHash - b.keyHash)
          )
          if (exact) assert.strictEqual(heap.peek(), least)
          else assert.strictEqual(heap.peek()?.clock, least?.clock)
        }
      }
    })
  }
})
