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

/** The low 32 bits of a time, never 0. */
const low = (unixMillis: number): number => (unixMillis | 0) || 1

/** The time that has these low bits and is not long after now: right for 24 days, and from then on long ago. */
const recent = (lowBits: number, nowMillis: number): number => {
  const elapsed = ((nowMillis | 0) - lowBits) | 0
  return nowMillis - (elapsed < -60_000 ? 0x7fff_ffff : elapsed)
}

/**
 * A live value. A number that is no small integer is a box on the heap, another 16 bytes and, for a lookup in a large cache, the
 * time of another access to memory: there are two of them here, and a lookup touches neither.
 */
export class Entry {
  readonly kind = "entry"
  /** Until when it has surely not expired, whatever the clock says within `glanceMarginMillis`. */
  readonly freshUntil: number
  #lookedUp: number
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
  readonly #updated: number
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
    this.#lookedUp = 0
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
    this.#updated = low(updatedAt)
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
    this.#lookedUp = low(nowMillis)
  }

  /** When it was looked up last, as of now; `undefined` for never. */
  lookedUpAt(nowMillis: number): number | undefined {
    return this.#lookedUp === 0 ? undefined : recent(this.#lookedUp, nowMillis)
  }

  /** When it was stored here, as of now. */
  updatedAt(nowMillis: number): number {
    return recent(this.#updated, nowMillis)
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
