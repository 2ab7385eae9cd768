/**
 * Records: what a replica holds for a key, an entry or a tombstone, each under the stamp of the write that made it. They
 * are classes with all fields set in the constructor, so that the engine keeps one shape for each.
 */
import * as Hash from "./Hash.ts"
import * as Keys from "./Key.ts"
import type { Key } from "./Key.ts"
import type { Packed } from "./Packed.ts"
import * as Stamp from "./Stamp.ts"
import type { MemberId } from "./Stamp.ts"

/** Stands in `Entry.decoded` until the value is first read. */
export const notDecoded: unique symbol = Symbol.for("mccache/notDecoded")

/** Times that lookups compare are in units of so many milliseconds since 2025: a small integer until 2094. */
const freshUnit = 1 / 1_024

/**
 * What expires no sooner than this after a glance at the clock has not expired. A glance lags by no more than a turn of the event
 * loop lasts, and whose turns last this long is nearly taken for dead by the others.
 */
export const glanceMarginMillis = 10_000

/** A time as `Entry.freshUntil` has it. */
export const freshTime = (unixMillis: number): number => ((unixMillis - Stamp.epochMillis) * freshUnit) | 0

const freshUntil = (expiresAt: number): number =>
  expiresAt === 0
    ? 0x7fff_ffff
    : Math.min(0x7fff_ffff, Math.floor((expiresAt - glanceMarginMillis - Stamp.epochMillis) * freshUnit))

/** A time in two small integers: units of 2^20 milliseconds since 2025, and the milliseconds within. */
const highUnit = 2 ** -20
const lowMask = 2 ** 20 - 1

/**
 * A live value. A number that is no small integer is a box on the heap, another 16 bytes and, for a lookup in a large cache, the
 * time of another access to memory: there are three of them here, and a lookup touches none.
 */
export class Entry {
  readonly kind = "entry"
  /** Until when it has surely not expired, whatever the clock says within `glanceMarginMillis`. */
  readonly freshUntil: number
  /** When it was looked up last; -1 for never. */
  #lookedUpHigh: number
  #lookedUpLow: number
  /** The decoded value: the namespace service's slot. */
  decoded: unknown
  readonly key: Key
  readonly keyHash: number
  readonly clock: number
  readonly writer: MemberId
  /** Unix milliseconds; 0 is never. */
  readonly expiresAt: number
  readonly #crc: number
  /** Encoded. Nothing once the record is no longer held: indexes point at it for a while. */
  value: Packed
  /** Encoded key and value. */
  readonly bytes: number
  /** Whether it came from `getOrSet` here (mode 2: an invalidation reaches further for those). */
  readonly filled: boolean
  /** When it was stored here, Unix milliseconds. */
  readonly updatedAt: number
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
    this.freshUntil = freshUntil(expiresAt)
    this.#lookedUpHigh = -1
    this.#lookedUpLow = 0
    this.decoded = notDecoded
    this.key = key
    this.keyHash = keyHash
    this.clock = clock
    this.writer = writer
    this.expiresAt = expiresAt
    this.#crc = crc | 0
    this.value = value
    this.bytes = Keys.bytes(key) + value.length
    this.filled = filled
    this.updatedAt = updatedAt
    this.held = true
    this.lessUsed = undefined
    this.moreUsed = undefined
  }

  /** CRC-32 of the value. */
  get crc(): number {
    return this.#crc >>> 0
  }

  /** It is looked up now, Unix milliseconds. */
  lookUp(nowMillis: number): void {
    const millis = nowMillis - Stamp.epochMillis
    this.#lookedUpHigh = (millis * highUnit) | 0
    this.#lookedUpLow = millis & lowMask
  }

  /** When it was looked up last, Unix milliseconds; `undefined` for never. */
  get lookedUpAt(): number | undefined {
    return this.#lookedUpHigh < 0 ? undefined : Stamp.epochMillis + this.#lookedUpHigh / highUnit + this.#lookedUpLow
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
