/** A member that holds entries, for others to take when they join. */
import { open, type Options, type Standalone } from "../../src/standalone.ts"
import * as Cluster from "../support/JoinCluster.ts"
import * as Traffic from "../support/JoinTraffic.ts"
import { serve } from "../support/Processes.ts"

let mccache: Standalone | undefined

const member = (): Standalone => {
  if (mccache === undefined) throw new Error("It is not open.")
  return mccache
}

serve({
  open: async ({ entries, options }: { readonly entries: number; readonly options: Options }) => {
    mccache = await open(options, { env: {} })
    const cache = mccache.cache<string>("n")
    await mccache.ready()
    for (let index = 0; index < entries; index++) cache.set(Cluster.keyOf(index), Cluster.valueOf(index))
    // What was written while nobody else was there is for nobody: transfers bring it.
    await mccache.flush()
    return cache.bytes
  },
  traffic: () => Traffic.read(member().localMetrics()),
  cpuMillis: () => member().localMetrics().process.cpuMillis,
  checksum: () => member().localChecksum("n")
})
