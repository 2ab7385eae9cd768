/** What every process of a throughput case serves, whatever carries the values. */
import { setTimeout as sleep } from "node:timers/promises"
import { serve } from "./Processes.ts"
import type { Figures } from "./Suite.ts"
import * as Load from "./ThroughputLoad.ts"

/** One phase of the load. */
export interface Phase {
  readonly seconds: number
  readonly operationsMax: number
}

export interface Usage {
  readonly cpuMicros: number
  /** The share of a core. */
  readonly share: number
  readonly counts: Figures
}

/** How long a receiver waits for what was written. */
const waitMillisMax = 60_000

export const serveCarrier = (make: (setup: Load.Setup) => Promise<Load.Carrier>): void => {
  let carrier: Load.Carrier
  let setup: Load.Setup
  let operations = 0
  let keys: ReadonlyArray<ReadonlyArray<string>> = []
  let values: ReadonlyArray<Uint8Array> = []
  let usedMicros = 0
  let begunMillis = 0
  let before: Figures = {}

  const used = (): number => {
    const { system, user } = process.cpuUsage()
    return system + user
  }

  serve({
    open: async (given: Load.Setup) => {
      setup = given
      keys = Array.from({ length: setup.writers }, (_, writer) => Load.keysOf(writer, setup.valueBytes))
      values = Load.valuesOf(setup.valueBytes)
      carrier = await make(setup)
    },
    met: () => carrier.met(),
    /** From here on usage is counted. */
    begin: () => {
      before = carrier.counts()
      usedMicros = used()
      begunMillis = Load.sharedMillis()
    },
    write: async (phase: Phase): Promise<Load.Written> => {
      const written = await Load.write(carrier, keys[setup.index], values, operations, phase)
      operations = written.operations
      return written
    },
    /** When everything that the others wrote was here. */
    until: async (total: number): Promise<number> => {
      const deadline = Load.sharedMillis() + waitMillisMax
      while (carrier.received() < total) {
        if (Load.sharedMillis() > deadline) throw new Error(`${carrier.received()} of ${total} values came`)
        await sleep(1)
      }
      return Load.sharedMillis()
    },
    usage: (): Usage => {
      const cpuMicros = used() - usedMicros
      const share = cpuMicros / (1_000 * (Load.sharedMillis() - begunMillis))
      const counts = carrier.counts()
      return {
        cpuMicros,
        share,
        counts: Object.fromEntries(Object.entries(counts).map(([name, now]) => [name, now - before[name]]))
      }
    },
    received: () => carrier.received(),
    /** Whether the last round of every other writer is here as it was written. */
    holds: (written: ReadonlyArray<number>) =>
      written.every((done, writer) => writer === setup.index || Load.holds(carrier, keys[writer], values, done)),
    checksum: () => carrier.checksum(),
    /** A profile is written when a process ends by itself. */
    leave: () => process.exit(0)
  })
}
