/**
 * Digests: 256 buckets of incremental 64-bit hashes over (key, stamp) of entries and tombstones alike, and their sum.
 * Each lane is a sum modulo 2^32, so that records are added and removed in any order. The kind of a record is not hashed:
 * an entry that expires into a tombstone at its own stamp changes nothing. Ghosts are no part of it.
 */
import * as Hash from "./Hash.ts"
import type { Record } from "./Record.ts"

export const buckets = 256

export interface Digest {
  /** Two lanes a bucket. */
  readonly lanes: Uint32Array
  /** Two lanes over all buckets. */
  readonly total: Uint32Array
  count: number
}

export const make = (): Digest => ({ lanes: new Uint32Array(2 * buckets), total: new Uint32Array(2), count: 0 })

export const bucketOf = (keyHash: number): number => keyHash & (buckets - 1)

/** Adds (1) or removes (-1) a record. */
export const toggle = (self: Digest, record: Record, sign: 1 | -1): void => {
  const lane = 2 * bucketOf(record.keyHash)
  const low = Hash.record(record.keyHash, record.clock, record.writer, 0x5bd1_e995)
  const high = Hash.record(record.keyHash, record.clock, record.writer, 0x27d4_eb2f)
  self.lanes[lane] += sign * low
  self.lanes[lane + 1] += sign * high
  self.total[0] += sign * low
  self.total[1] += sign * high
  self.count += sign
}

export const clear = (self: Digest): void => {
  self.lanes.fill(0)
  self.total.fill(0)
  self.count = 0
}

/** The sum of all buckets, as text. */
export const hash = (self: Digest): string =>
  self.total[1].toString(16).padStart(8, "0") + self.total[0].toString(16).padStart(8, "0")
