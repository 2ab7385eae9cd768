/** The process that a member is, as Node knows it. */
import * as Layer from "effect/Layer"
import { hostname, loadavg } from "node:os"
import { threadId } from "node:worker_threads"
import { HostProcess } from "../services/HostProcess.ts"

export const layer: Layer.Layer<never> = Layer.succeed(HostProcess, {
  host: hostname(),
  pid: process.pid,
  thread: threadId,
  usage: () => {
    const cpu = process.cpuUsage()
    const memory = process.memoryUsage()
    return {
      load: loadavg()[0],
      cpuMillis: (cpu.user + cpu.system) / 1_000,
      residentBytes: memory.rss,
      heapBytes: memory.heapUsed
    }
  }
})
