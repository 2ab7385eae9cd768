/** A member in a process of its own: it writes, or receives and tells what that took. */
import { open, type Standalone, type StandaloneCache } from "../../src/standalone.ts"
import type * as LocalData from "../support/LocalData.ts"
import * as MemoryReading from "../support/MemoryReading.ts"
import * as MemoryTraffic from "../support/MemoryTraffic.ts"
import type { Capacity } from "../support/PeersMcCache.ts"
import * as PeersMcCache from "../support/PeersMcCache.ts"
import { serve } from "../support/Processes.ts"

let mccache: Standalone
let cache: StandaloneCache<LocalData.Value>
let count: () => number | undefined
let watched: () => { readonly [name: string]: number }

serve({
  open: async ({ capacity, of }: { readonly capacity: Capacity; readonly of: number }) => {
    mccache = await open(PeersMcCache.options(capacity, of))
    cache = mccache.cache<LocalData.Value>("bench")
    await mccache.ready()
  },
  members: () => mccache.members().length,
  size: () => cache.size,
  fill: ({ count, size }: { readonly count: number; readonly size: LocalData.ValueSize }) =>
    MemoryTraffic.fillAll(mccache, cache, count, size),
  load: ({ keys, seconds, size }: {
    readonly keys: number
    readonly seconds: number
    readonly size: LocalData.ValueSize
  }) => MemoryTraffic.load(cache, keys, size, seconds),
  count: async () => {
    count = await MemoryReading.counting()
  },
  counted: () => count(),
  watch: () => {
    watched = MemoryReading.watching(() => {
      const { network } = mccache.localMetrics()
      return { retainedBytes: network.retainedBytes, reassemblyBytes: network.reassemblyBytes }
    })
  },
  watched: () => watched()
})
