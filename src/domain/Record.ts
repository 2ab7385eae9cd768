/**
 * Records: what a replica holds for a key, an entry or a tombstone, each under the stamp of the write that made it. They
 * are classes with all fields set in the constructor, so that the engine keeps one shape for each.
 */
import * as Hash from "./Hash.ts"
import * as Keys from "./Key.ts"
import type { Key } from "./Key.ts"
import type { Packed } from "./Packed.ts"
import type { MemberId } from "./Stamp.ts"

/** Stands in `Entry.decoded` until the value is first read. */
export const notDecoded: unique symbol = Symbol.for("mccache/notDecoded")

/** A live value. */
export class Entry {
  readonly kind = "entry"
  readonly key: Key
  readonly keyHash: number
  readonly clock: number
  readonly writer: MemberId
  /** Unix milliseconds; 0 is never. */
  readonly expiresAt: number
  readonly crc: number
  /** Encoded. Nothing once the record is no longer held: indexes point at it for a while. */
  value: Packed
  /** Encoded key and value. */
  readonly bytes: number
  /** Whether it came from `getOrSet` here (mode 2: an invalidation reaches further for those). */
  readonly filled: boolean
  updatedAt: number
  lookedUpAt: number
  /** The decoded value: the namespace service's slot. */
  decoded: unknown
  /** Whether the replica still holds this very record; heaps skip those that it does not. */
  held: boolean
  /** Neighbours in the order of use. */
  lessUsed: Entry | undefined
  moreUsed: Entry | undefined

  constructor(
    key: Key,
    keyHash: number,
    clock: number,
    writer: MemberId,
    expiresAt: number,
    crc: number,
    value: Packed,
    filled: boolean,
    updatedAt: number
  ) {
    this.key = key
    this.keyHash = keyHash
    this.clock = clock
    this.writer = writer
    this.expiresAt = expiresAt
    this.crc = crc
    this.value = value
    this.bytes = Keys.bytes(key) + value.length
    this.filled = filled
    this.updatedAt = updatedAt
    this.lookedUpAt = 0
    this.decoded = notDecoded
    this.held = true
    this.lessUsed = undefined
    this.moreUsed = undefined
  }
}

/** Why there is no value. A ghost marks an eviction in mode 0: repair must not refill the key with it. */
export type Cause = "delete" | "collision" | "expiry" | "ghost"

/** Remembers that what is at or below its stamp is gone. */
export class Tombstone {
  readonly kind = "tombstone"
  readonly key: Key
  readonly keyHash: number
  readonly clock: number
  readonly writer: MemberId
  readonly cause: Cause
  /** Of an expiry: when that was, as it may be known elsewhere only later. */
  readonly expiresAt: number
  held: boolean

  constructor(key: Key, keyHash: number, clock: number, writer: MemberId, cause: Cause, expiresAt: number) {
    this.key = key
    this.keyHash = keyHash
    this.clock = clock
    this.writer = writer
    this.cause = cause
    this.expiresAt = expiresAt
    this.held = true
  }
}

export type Record = Entry | Tombstone

/** The hash of a key that its bucket and digests go by. */
export const hashOf = (key: Key): number => Hash.key(key)
