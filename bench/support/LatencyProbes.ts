/**
 * What the latency suite sends: probes, each a value of about 100 bytes under a key of its own, so that no later one can
 * take its place on the way; and other writes, the background, of the same size under other keys.
 *
 * Times are `process.hrtime.bigint()`, which is CLOCK_MONOTONIC on Linux: one clock for all processes of a host, so that a
 * time taken at the writer and one taken at a receiver may be subtracted. Every case verifies that before it measures.
 */

export interface Value {
  /** Of the probe; -1 of a background write, -2 of what stood under a probe's key before it. */
  readonly sequence: number
  readonly text: string
}

export const background = -1
export const before = -2

/** Keys of background writes. */
export const backgroundKeys = 1_024

export const probeKey = (sequence: number): string => `probe/${sequence}`
export const backgroundKey = (index: number): string => `other/${index % backgroundKeys}`

export const valueOf = (sequence: number): Value => ({ sequence, text: String(sequence).padStart(76, "latency ") })

export const now = (): bigint => process.hrtime.bigint()

/** A case, as its processes need to know it. */
export interface Setup {
  readonly subject: string
  /** Multicast port, or the server's. */
  readonly port: number
  readonly cluster: string
  readonly cryptoKey: string | undefined
  /** With those that warm it up. */
  readonly probes: number
}
