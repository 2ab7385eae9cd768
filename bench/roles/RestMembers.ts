/** Members that do nothing: one or several in a process, each with its namespaces open. */
import { open, type Options, type Standalone } from "../../src/standalone.ts"
import * as Cluster from "../support/JoinCluster.ts"
import * as Traffic from "../support/JoinTraffic.ts"
import { serve } from "../support/Processes.ts"

const members: Array<Standalone> = []

const heapBytes = (): number => {
  for (let times = 0; times < 3; times++) globalThis.gc?.()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const name = (namespace: number): string => `namespace-${namespace}`

serve({
  /** Opens members one after the other. */
  open: async ({ count, options }: { readonly count: number; readonly options: Options }) => {
    for (let index = 0; index < count; index++) {
      const member = await open(options, { env: {} })
      await member.ready()
      members.push(member)
    }
  },
  /** Opens namespaces at all of them; how long that took until they are ready, and what one of them takes in memory. */
  namespaces: async (count: number) => {
    const before = heapBytes()
    const began = performance.now()
    for (const member of members) for (let index = 0; index < count; index++) member.cache(name(index))
    await Promise.all(members.map((member) => member.ready()))
    const openMillis = performance.now() - began
    return { openMillis, namespaceBytes: (heapBytes() - before) / (count * members.length) }
  },
  /** Entries, spread over the namespaces, that the first member writes. */
  write: async ({ entries, namespaces }: { readonly entries: number; readonly namespaces: number }) => {
    const [member] = members
    for (let index = 0; index < entries; index++) {
      member.cache(name(index % namespaces)).set(Cluster.keyOf(index), Cluster.valueOf(index))
    }
    await member.flush({ timeout: 10 })
  },
  /** How long it takes until all others have one more write of the first member. */
  flush: async () => {
    const began = performance.now()
    members[0].cache(name(0)).set("flushed", "y")
    await members[0].flush({ timeout: 120 })
    return performance.now() - began
  },
  others: () => Math.min(...members.map((member) => member.members().length - 1)),
  checksums: () => members.map((member) => member.localChecksum()),
  /** Processor time of the process, and traffic of its members, while nothing happens for so long. */
  rest: async (millis: number) => {
    const traffic = members.map((member) => Traffic.read(member.localMetrics()))
    const cpu = process.cpuUsage()
    const began = performance.now()
    await new Promise((resolve) => setTimeout(resolve, millis))
    const { system, user } = process.cpuUsage(cpu)
    const elapsedMillis = performance.now() - began
    const after = members.map((member) => Traffic.read(member.localMetrics()))
    return {
      elapsedMillis,
      cpuMillis: (system + user) / 1_000,
      traffic: Traffic.sum(after.map((now, index) => Traffic.since(traffic[index], now)))
    }
  }
})
