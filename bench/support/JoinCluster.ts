/** A cluster of a case's own, on loopback, and the small entries that it holds. */
import type { Options } from "../../src/standalone.ts"

/** Bytes of a value's text: with its key, an entry is about 100 bytes. */
const valueLength = 84

/** Options of all members of a case. Cases that run at the same time have different ports and names. */
export const options = (pid: number, entries: number): Options => ({
  cluster: `bench-${pid}`,
  multicastIp: `224.0.0.3:${20_000 + pid % 10_000}`,
  interface: "127.0.0.1",
  cacheMax: Math.max(1_000, entries + 100),
  cacheSize: Math.max(8 * 1_048_576, 200 * entries),
  // Neither expires nor is checked while something is measured.
  cacheTtl: 0,
  cachePulse: "1 hour",
  logLevel: "error"
})

export const keyOf = (index: number): string => `entry:${String(index).padStart(7, "0")}`

export const valueOf = (index: number): string => `${index}:`.padEnd(valueLength, "x")
