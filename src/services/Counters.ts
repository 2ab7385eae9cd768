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

const growth = 1.2
const perFifth = 1 / Math.log(growth)
const bucketCount = 96
/** Where a bucket ends, in milliseconds. */
const endMillis = (bucket: number): number => (growth ** bucket - 1) / 10

/** Every third end of a bucket, up to a minute and a half. */
const boundaries: ReadonlyArray<{ readonly bucket: number; readonly seconds: number }> = Array.from(
  { length: 25 },
  (_, index) => ({
    bucket: 3 * (index + 1),
    // Three digits, for the reader: the buckets are only right within 10 % anyway.
    seconds: Number((endMillis(3 * (index + 1)) / 1_000).toPrecision(3))
  })
)

/** A histogram of milliseconds in buckets that grow by a fifth: quantiles are right within 10 %. */
export class Histogram {
  /** Upper bounds of the buckets that `state` tells, in seconds. */
  static readonly boundariesSeconds: ReadonlyArray<number> = boundaries.map(({ seconds }) => seconds)

  // Not of 32 bits: a busy member would run over within days.
  readonly #buckets = new Float64Array(bucketCount)
  #total = 0
  #sumMillis = 0
  #minMillis = Infinity
  #maxMillis = 0

  /** Counts one; what clock skew makes negative counts as 0. */
  record(millis: number): void {
    const bucket = millis <= 0 ? 0 : 1 + Math.floor(Math.log(1 + millis * 10) * perFifth)
    const spent = millis <= 0 ? 0 : millis
    this.#buckets[Math.min(bucketCount - 1, bucket)]++
    this.#total++
    this.#sumMillis += spent
    if (spent < this.#minMillis) this.#minMillis = spent
    if (spent > this.#maxMillis) this.#maxMillis = spent
  }

  get count(): number {
    return this.#total
  }

  /** The value that this share of all records does not exceed, in milliseconds; 0 when there are none. */
  quantile(share: number): number {
    if (this.#total === 0) return 0
    let seen = 0
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      seen += this.#buckets[bucket]
      if (seen >= share * this.#total) return bucket === 0 ? 0 : endMillis(bucket)
    }
    return Infinity
  }

  /** All of it in seconds, in fewer buckets, each with the count up to its bound: what exporters take. */
  state(): HistogramSeconds {
    const buckets: Array<[number, number]> = []
    let next = 0
    let seen = 0
    for (const { bucket, seconds } of boundaries) {
      for (; next <= bucket; next++) seen += this.#buckets[next]
      buckets.push([seconds, seen])
    }
    return {
      buckets,
      count: this.#total,
      sum: this.#sumMillis / 1_000,
      min: this.#total === 0 ? 0 : this.#minMillis / 1_000,
      max: this.#maxMillis / 1_000
    }
  }
}

/** A histogram as exporters take it: of seconds, each bucket with the count up to its bound. */
export interface HistogramSeconds {
  readonly buckets: ReadonlyArray<[seconds: number, count: number]>
  readonly count: number
  readonly sum: number
  readonly min: number
  readonly max: number
}
