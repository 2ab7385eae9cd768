/**
 * Records: what a replica holds for a key, an entry or a tombstone, each under the stamp of the write that made it. They
 * are classes with all fields set in the constructor, so that the engine keeps one shape for each. A tombstone never changes; an
 * entry takes the value and the stamp of a newer write of its key, as one made anew costs more than all the rest of a write.
 */
import { checksum } from "./Checksum.ts"
import * as Hash from "./Hash.ts"
import * as Invariant from "./Invariant.ts"
import * as Keys from "./Key.ts"
import type { Key } from "./Key.ts"
import type { Packed } from "./Packed.ts"
import type { Put } from "./ReplicaEvent.ts"
import type { MemberId } from "./Stamp.ts"

/** A whole number below 2^53 in two of 32 bits. */
const word = 2 ** 32
const highOf = (value: number): number => (value / word) | 0
const join = (high: number, low: number): number => high * word + (low >>> 0)

/**
 * A live value. A number that is no small integer is a box on the heap, another 16 bytes and, in a large cache, the time of
 * another access to memory: the three of them here are two small integers each. What lookups touch is in the `RecordTable`.
 */
export class Entry {
  #clockHigh = 0
  #clockLow = 0
  writer: MemberId = ""
  #expiresHigh = 0
  #expiresLow = 0
  /** Not summed yet: `undefined`. */
  #crc: number | undefined = undefined
  /** Encoded. Nothing once the record is no longer held: indexes point at it for a while. */
  value: Packed = ""
  /** Encoded key and value. */
  bytes = 0
  #updatedHigh = 0
  #updatedLow = 0
  /** Whether it came from `getOrSet` here (mode 2: an invalidation reaches further for those). */
  filled = false
  /** Whether the replica still holds this very record; indexes skip those that it does not. */
  held = true
  /** Its place in the outbox, or that of what it replaced: 0 for never. The outbox writes it, the replica passes it on. */
  place = 0
  /** Where it is in the table, which writes it. */
  slot = 0
  readonly key: Key
  readonly keyHash: number
  readonly #keyBytes: number
  /** Neighbours in the order of use. */
  lessUsed: Entry | undefined = undefined
  moreUsed: Entry | undefined = undefined

  constructor(key: Key, keyHash: number, write: Put, value: Packed, nowMillis: number) {
    this.key = key
    this.keyHash = keyHash
    this.#keyBytes = Keys.bytes(key)
    this.rewrite(write, value, nowMillis)
  }

  /** Takes the value and the stamp of a newer write. */
  rewrite(write: Put, value: Packed, nowMillis: number): void {
    const { clock, expiresAt } = write
    this.#clockHigh = highOf(clock)
    this.#clockLow = clock | 0
    this.writer = write.writer
    this.#expiresHigh = highOf(expiresAt)
    this.#expiresLow = expiresAt | 0
    this.#crc = write.crc === undefined ? undefined : write.crc | 0
    // Not by what the former value took, which is another access to memory.
    this.bytes = this.#keyBytes + value.length
    this.value = value
    this.#updatedHigh = highOf(nowMillis)
    this.#updatedLow = nowMillis | 0
    this.filled = write.origin === "fill"
  }

  get kind(): "entry" {
    return "entry"
  }

  get clock(): number {
    return join(this.#clockHigh, this.#clockLow)
  }

  /** Unix milliseconds; 0 is never. */
  get expiresAt(): number {
    return join(this.#expiresHigh, this.#expiresLow)
  }

  /** CRC-32 of the value. */
  get crc(): number {
    if (this.#crc === undefined) {
      Invariant.check(this.held, "the sum of a value that is gone is asked for")
      this.#crc = checksum(this.value) | 0
    }
    return this.#crc >>> 0
  }

  /** Lets go of the value, as it is no longer held; of its sum too, unless somebody may ask what became of it. */
  release(askedFor: boolean): void {
    if (askedFor) this.#crc = this.crc | 0
    this.held = false
    this.value = ""
  }

  /** When it was stored here, Unix milliseconds. */
  get updatedAt(): number {
    return join(this.#updatedHigh, this.#updatedLow)
  }
}

/** Why there is no value. A ghost marks an eviction in mode 0: repair must not refill the key with it. */
export type Cause = "delete" | "collision" | "expiry" | "ghost"

/** Remembers that what is at or below its stamp is gone. */
export class Tombstone {
  readonly key: Key
  readonly keyHash: number
  readonly clock: number
  readonly writer: MemberId
  readonly cause: Cause
  /** Of an expiry: when that was, as it may be known elsewhere only later. */
  readonly expiresAt: number
  held: boolean
  /** These two as of an entry. */
  place: number
  slot: number

  constructor(key: Key, keyHash: number, clock: number, writer: MemberId, cause: Cause, expiresAt: number) {
    this.key = key
    this.keyHash = keyHash
    this.clock = clock
    this.writer = writer
    this.cause = cause
    this.expiresAt = expiresAt
    this.held = true
    this.place = 0
    this.slot = 0
  }

  get kind(): "tombstone" {
    return "tombstone"
  }
}

export type Record = Entry | Tombstone

/** The hash of a key that its bucket and digests go by. */
export const hashOf = (key: Key): number => Hash.key(key)
