/**
 * What a member counts of the protocol. Plain numbers, written by the actors and read by reports: counting must cost
 * nothing on the way of a datagram.
 */

/** Why a datagram, a record or an event was refused. */
export const refusals = [
  "malformed",
  "unauthentic",
  "foreign",
  "unsealed",
  "throttled",
  "replayed",
  "untrusted",
  "clock",
  "options",
  "oversized",
  "reassembly",
  "window"
] as const
export type Refusal = typeof refusals[number]

export interface Counters {
  datagramsIn: number
  datagramsOut: number
  bytesIn: number
  bytesOut: number
  /** Numbers of streams found missing. */
  lost: number
  /** Datagrams sent again because a member missed them. */
  repaired: number
  /** Numbers given up and left to repair. */
  abandoned: number
  duplicates: number
  collisions: number
  repairRounds: number
  repairedRecords: number
  joins: number
  outboxOverflows: number
  callbackFailures: number
  undecodable: number
  changesDropped: number
  readonly refused: Record<Refusal, number>
  /** Where the last datagram that was refused for a reason says that it comes from. */
  readonly refusedFrom: Map<Refusal, string>
  readonly operationsIn: Record<string, number>
  readonly operationsOut: Record<string, number>
  readonly propagation: Histogram
}

export const make = (): Counters => ({
  datagramsIn: 0,
  datagramsOut: 0,
  bytesIn: 0,
  bytesOut: 0,
  lost: 0,
  repaired: 0,
  abandoned: 0,
  duplicates: 0,
  collisions: 0,
  repairRounds: 0,
  repairedRecords: 0,
  joins: 0,
  outboxOverflows: 0,
  callbackFailures: 0,
  undecodable: 0,
  changesDropped: 0,
  refused: Object.fromEntries(refusals.map((refusal) => [refusal, 0])) as Record<Refusal, number>,
  refusedFrom: new Map(),
  operationsIn: {},
  operationsOut: {},
  propagation: new Histogram()
})

export const count = (counts: Record<string, number>, name: string): void => {
  counts[name] = (counts[name] ?? 0) + 1
}

const perFifth = 1 / Math.log(1.2)

/** A histogram of milliseconds in buckets that grow by a fifth: quantiles are right within 10 %. */
export class Histogram {
  readonly #buckets = new Uint32Array(96)
  #total = 0

  record(millis: number): void {
    const bucket = millis <= 0 ? 0 : 1 + Math.floor(Math.log(1 + millis * 10) * perFifth)
    this.#buckets[Math.min(95, bucket)]++
    this.#total++
  }

  get count(): number {
    return this.#total
  }

  /** The value that this share of all records does not exceed, in milliseconds; 0 when there are none. */
  quantile(share: number): number {
    if (this.#total === 0) return 0
    let seen = 0
    for (let bucket = 0; bucket < 96; bucket++) {
      seen += this.#buckets[bucket]
      if (seen >= share * this.#total) return bucket === 0 ? 0 : (1.2 ** bucket - 1) / 10
    }
    return Infinity
  }
}
