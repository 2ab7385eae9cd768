/** Counts what an operation of a cache allocates, in a process whose young generation is not collected meanwhile. */
import * as LocalData from "../support/LocalData.ts"
import * as LocalTiming from "../support/LocalTiming.ts"
import * as MemoryReading from "../support/MemoryReading.ts"
import * as Peers from "../support/Peers.ts"
import type { Subject } from "../support/PeersSubject.ts"
import { serve } from "../support/Processes.ts"
import { expect } from "../support/Suite.ts"

const operations = 20_000

export interface Allocated {
  readonly getBytes: number
  readonly setBytes: number
}

serve({
  measure: async (
    { name, size }: { readonly name: Peers.Name; readonly size: LocalData.ValueSize }
  ): Promise<Allocated> => {
    const subject = await Peers.open(name, { entries: 2 * operations, entryBytes: LocalData.encodedBytes(size) + 8 })
    const keys = LocalData.keys("short", "k", operations)
    const values = Array.from({ length: 1_024 }, (_, id) => LocalData.value(size, id))
    const work = { keys, values, writes: new Uint8Array(1) }
    const all = async (batch: Subject["get"]): Promise<void> => {
      for (let from = 0; from < operations; from += 1_000) {
        const hits = await batch(work, from, 1_000)
        expect(hits === 1_000, `${hits} hits in place of 1000`)
        await LocalTiming.drained(subject.pending)
      }
    }
    // What is compiled later allocates less than what is interpreted: enough rounds that all of it is.
    for (let round = 0; round < 10; round++) {
      await all(subject.set)
      await all(subject.get)
    }
    const allocated = async (batch: Subject["get"]): Promise<number> => {
      const found: Array<number> = []
      for (let attempt = 0; attempt < 5; attempt++) {
        const counted = await MemoryReading.counting()
        await all(batch)
        const bytes = counted()
        if (bytes !== undefined) found.push(bytes / operations)
      }
      expect(found.length > 0, "garbage was collected whenever it was counted")
      return Math.min(...found)
    }
    const getBytes = await allocated(subject.get)
    return { getBytes, setBytes: await allocated(subject.set) }
  }
})
