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

const lowSeed = 0x5bd1_e995
const highSeed = 0x27d4_eb2f

/** Adds (1) or removes (-1) a record. */
export const toggle = (self: Digest, record: Record, sign: 1 | -1): void => {
  const { clock, keyHash } = record
  const { lanes, total } = self
  const stamp = Hash.stamp(clock, record.writer)
  const low = Math.imul(sign, Hash.mix(Hash.mix(keyHash ^ lowSeed ^ (clock | 0)) + stamp))
  const high = Math.imul(sign, Hash.mix(Hash.mix(keyHash ^ highSeed ^ (clock | 0)) + stamp))
  const lane = 2 * bucketOf(keyHash)
  lanes[lane] = (lanes[lane] + low) | 0
  lanes[lane + 1] = (lanes[lane + 1] + high) | 0
  total[0] = (total[0] + low) | 0
  total[1] = (total[1] + high) | 0
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
