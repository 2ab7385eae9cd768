/** The process that a member is: its label in the cluster and what it uses. Simulations and runtimes provide it. */
import * as Context from "effect/Context"

export interface HostProcessShape {
  readonly host: string
  readonly pid: number
  /** The worker thread that the member is in; 0 is the main thread. */
  readonly thread: number
  /** A snapshot of what the process uses. */
  readonly usage: () => ProcessUsage
}

/** @category models */
export interface ProcessUsage {
  /** The host's load average over one minute. */
  readonly load: number
  /** Processor time of this process since it started, in milliseconds. */
  readonly cpuMillis: number
  readonly residentBytes: number
  readonly heapBytes: number
}

/** @category services */
export const HostProcess: Context.Reference<HostProcessShape> = Context.Reference("mccache/services/HostProcess", {
  defaultValue: (): HostProcessShape => ({
    host: "localhost",
    pid: 0,
    thread: 0,
    usage: () => ({ load: 0, cpuMillis: 0, residentBytes: 0, heapBytes: 0 })
  })
})
