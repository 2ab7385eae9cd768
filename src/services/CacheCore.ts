/**
 * A namespace as its user sees it, synchronously: what the Effect API and the standalone facade share. Every method works
 * on the caller's turn, waits for nobody, and throws `McCacheError` for what the caller can mend.
 */
import type * as Duration from "effect/Duration"
import { crc32 } from "node:zlib"
import * as Key from "../domain/Key.ts"
import * as McCacheError from "../domain/McCacheError.ts"
import type { Packed } from "../domain/Packed.ts"
import type * as Record from "../domain/Record.ts"
import type { RecordTable } from "../domain/RecordTable.ts"
import * as Replica from "../domain/Replica.ts"
import type { Stamp } from "../domain/Stamp.ts"
import * as TimeInput from "../domain/TimeInput.ts"
import type { Counters } from "./Counters.ts"
import type { MemberTime } from "./MemberTime.ts"
import type { Namespace, Tally } from "./Namespace.ts"
import type { ValueCodec } from "./ValueCodec.ts"

/** What is known of an entry. @category models */
export interface Metadata {
  readonly key: Key.Key
  readonly stamp: Stamp
  /** The member that wrote it. */
  readonly writer: string
  /** CRC-32 of the encoded value. */
  readonly crc: number
  /** Encoded key and value. */
  readonly bytes: number
  /** When it was last looked up here, Unix milliseconds; `undefined` for never. */
  readonly lastLookup: number | undefined
  /** When it was last updated here, Unix milliseconds. */
  readonly lastUpdate: number
  /** When it expires, Unix milliseconds; `undefined` for never. */
  readonly expiresAt: number | undefined
}

/** What a namespace counts. @category models */
export interface NamespaceMetrics {
  readonly count: number
  readonly size: number
  readonly lookups: number
  readonly misses: number
  readonly inserts: number
  readonly updates: number
  readonly deletes: number
  readonly evicts: number
  readonly expired: number
  readonly collisions: number
  readonly incoherent: number
  readonly spikes: number
  /** The mean time between a change and the one before it, over the spikes, in milliseconds. */
  readonly spikeInterval: number
  readonly tombstones: number
  readonly outbox: number
  readonly caughtUp: boolean
}

export interface SetOptions {
  /** Time to live. **A plain number is seconds**; 0 is for ever. Default: the namespace's. */
  readonly ttl?: Duration.Input | undefined
}

/** One computation of `getOrSet`. */
export interface Fill<V> {
  /** Stores the value, unless something newer came. */
  readonly store: (value: V) => void
  readonly end: () => void
  /** Whether the key was changed since it began: what it computes is old. */
  readonly overtaken: () => boolean
}

/** Stands for the value of bytes that no value was encoded to. */
const undecodable: unique symbol = Symbol("undecodable")

export class CacheCore<V> {
  readonly name: string
  readonly namespace: Namespace
  // A lookup goes through all of this: the fewer steps, the better.
  readonly #replica: Replica.Replica
  readonly #records: RecordTable
  readonly #tally: Tally
  readonly #codec: ValueCodec<V>
  readonly #time: MemberTime
  readonly #counters: Counters
  readonly #closed: () => boolean

  constructor(
    namespace: Namespace,
    codec: ValueCodec<V>,
    member: { readonly time: MemberTime; readonly counters: Counters; readonly closed: () => boolean }
  ) {
    this.name = namespace.name
    this.namespace = namespace
    this.#replica = namespace.replica
    this.#records = namespace.replica.records
    this.#tally = namespace.tally
    this.#codec = codec
    this.#time = member.time
    this.#counters = member.counters
    this.#closed = member.closed
  }

  #check(key: Key.Key): void {
    if (this.#closed()) throw closedError()
    requireKey(key)
  }

  /** Checks a key that is to be stored. `-0` is `0`, as in a `Map`, which iteration and the wire would tell apart. */
  #stored(key: Key.Key): Key.Key {
    this.#check(key)
    return key === 0 ? 0 : key
  }

  #open(): void {
    if (this.#closed()) throw closedError()
  }

  /** The value of an entry, decoded when it is first read; `undecodable`, which reads as a miss, if that fails, and is counted. */
  #value(entry: Record.Entry): unknown {
    const known = this.#records.decoded(entry.slot)
    if (known !== undefined) return known
    const decoded = this.#decode(entry)
    if (decoded === undecodable) this.#counters.undecodable++
    return decoded
  }

  #decode(entry: Record.Entry): unknown {
    const { slot, value } = entry
    const records = this.#records
    try {
      const decoded = this.#codec.decode(value)
      // A Schema runs code of the user's, which may have changed the cache: then this is what was read, and not kept.
      if (records.at(slot) === entry && entry.value === value) records.decode(slot, decoded)
      return decoded
    } catch {
      return undecodable
    }
  }

  // ------------------------------------------------------------------------------------------------ reading

  /** The entry of a key, counted as a lookup. */
  lookup(key: Key.Key): { readonly value: V } | undefined {
    const value = this.get(key)
    if (value !== undefined) return { value }
    // A stored `undefined` is a hit.
    const entry = Replica.peek(this.#replica, key, this.#time.now())
    const decoded = entry === undefined ? undecodable : this.#decode(entry)
    return decoded === undecodable ? undefined : { value: decoded as V }
  }

  get(key: Key.Key): V | undefined {
    this.#open()
    const replica = this.#replica
    const records = this.#records
    const tally = this.#tally
    const slot = records.slot(key)
    if (slot !== undefined) {
      let now = this.#time.glance()
      if (Replica.isFresh(replica, slot, now) || this.#isReadable(slot, now = this.#time.now())) {
        tally.lookups++
        records.lookUp(slot, now)
        if (replica.evictsUsed) Replica.use(replica, slot)
        const decoded = records.decoded(slot)
        return decoded === undefined ? this.#firstRead(slot) : decoded as V
      }
    }
    // What is there has a key that is one.
    requireKey(key)
    tally.lookups++
    tally.misses++
    return undefined
  }

  #isReadable(slot: number, now: number): boolean {
    const record = this.#records.at(slot)
    return record?.kind === "entry" && Replica.isReadable(this.#replica, record, now)
  }

  #firstRead(slot: number): V | undefined {
    const record = this.#records.at(slot)
    const value = record?.kind === "entry" ? this.#value(record) : undecodable
    if (value !== undecodable) return value as V
    this.#tally.misses++
    return undefined
  }

  peek(key: Key.Key): V | undefined {
    return this.glance(key)?.value
  }

  /** As `peek`, telling a stored `undefined` from nothing. */
  glance(key: Key.Key): { readonly value: V } | undefined {
    this.#check(key)
    const entry = Replica.peek(this.#replica, key, this.#time.now())
    const value = entry === undefined ? undecodable : this.#value(entry)
    return value === undecodable ? undefined : { value: value as V }
  }

  has(key: Key.Key): boolean {
    this.#open()
    const slot = this.#records.slot(key)
    if (slot === undefined) {
      requireKey(key)
      return false
    }
    return Replica.isFresh(this.#replica, slot, this.#time.glance()) || this.#isReadable(slot, this.#time.now())
  }

  metadata(key: Key.Key): Metadata | undefined {
    this.#check(key)
    const entry = Replica.peek(this.namespace.replica, key, this.#time.now())
    if (entry === undefined) return undefined
    return {
      key,
      stamp: { clock: entry.clock, writer: entry.writer },
      writer: entry.writer,
      crc: entry.crc,
      bytes: entry.bytes,
      lastLookup: this.#records.lookedUpAt(entry),
      lastUpdate: entry.updatedAt,
      expiresAt: entry.expiresAt === 0 ? undefined : entry.expiresAt
    }
  }

  get size(): number {
    this.#open()
    Replica.sweep(this.namespace.replica, this.#time.now())
    return this.namespace.replica.size
  }

  /** Encoded keys and values. */
  get bytes(): number {
    this.#open()
    Replica.sweep(this.namespace.replica, this.#time.now())
    return this.namespace.replica.bytes
  }

  entries(): IterableIterator<[Key.Key, V]> {
    this.#open()
    return this.#entries()
  }

  keys(): IterableIterator<Key.Key> {
    this.#open()
    return this.#keys()
  }

  values(): IterableIterator<V> {
    this.#open()
    return this.#values()
  }

  /** The entries that are unexpired when their turn comes: the caller may take its time between two of them. */
  *#unexpired(): IterableIterator<Record.Entry> {
    for (const entry of Replica.entries(this.namespace.replica, this.#time.now())) {
      if (entry.expiresAt === 0 || entry.expiresAt > this.#time.now()) yield entry
    }
  }

  *#entries(): IterableIterator<[Key.Key, V]> {
    for (const entry of this.#unexpired()) {
      const value = this.#value(entry)
      if (value !== undecodable) yield [entry.key, value as V]
    }
  }

  *#keys(): IterableIterator<Key.Key> {
    for (const entry of this.#unexpired()) yield entry.key
  }

  *#values(): IterableIterator<V> {
    for (const [, value] of this.#entries()) yield value
  }

  // ------------------------------------------------------------------------------------------------ writing

  #ttlMillis(ttl: Duration.Input | undefined): number {
    return ttl === undefined ? this.namespace.ttlMillis : TimeInput.ttlMillis(ttl)
  }

  /** Encodes a value, or says why it cannot be stored. */
  #encode(key: Key.Key, value: V): Packed {
    const encoded = this.#codec.encode(value)
    const bound = this.namespace.options.cacheSizeBytes
    if (!Key.fits(key, encoded.length, bound)) {
      const size = Key.bytes(key) + encoded.length
      throw McCacheError.make(
        "ValueTooLarge",
        `Key and value take ${size} bytes encoded, more than the ${bound} that namespace ${
          JSON.stringify(this.name)
        } holds: raise cacheSize (MCCACHE_CACHE_SIZE) at every member, or store less.`
      )
    }
    return encoded
  }

  set(given: Key.Key, value: V, options?: SetOptions): void {
    const key = this.#stored(given)
    const millis = this.#ttlMillis(options?.ttl)
    const encoded = this.#encode(key, value)
    this.namespace.set(key, encoded, millis, this.#time.now())
  }

  /** Stores all or, when one of them cannot be stored, none. */
  setMany(entries: Iterable<readonly [Key.Key, V]>, options?: SetOptions): void {
    this.#open()
    const all: Array<readonly [Key.Key, Packed]> = []
    for (const [given, value] of entries) {
      const key = this.#stored(given)
      all.push([key, this.#encode(key, value)])
    }
    const millis = this.#ttlMillis(options?.ttl)
    const now = this.#time.now()
    for (const [key, encoded] of all) this.namespace.set(key, encoded, millis, now)
  }

  setDefault(key: Key.Key, value: V, options?: SetOptions): V {
    const hit = this.lookup(key)
    if (hit !== undefined) return hit.value
    this.set(key, value, options)
    return value
  }

  delete(key: Key.Key): boolean {
    return this.namespace.delete(this.#stored(key))
  }

  /** Deletes them; how many were there. */
  deleteMany(keys: Iterable<Key.Key>): number {
    this.#open()
    const checked = Array.from(keys, (key) => this.#stored(key))
    let deleted = 0
    for (const key of checked) if (this.namespace.delete(key)) deleted++
    return deleted
  }

  pop(key: Key.Key): { readonly value: V } | undefined {
    const hit = this.lookup(key)
    if (hit !== undefined) this.namespace.delete(key)
    return hit
  }

  /** Removes and returns the first entry in iteration order. */
  popItem(): [Key.Key, V] | undefined {
    for (const entry of this.entries()) {
      this.namespace.delete(entry[0])
      return entry
    }
    return undefined
  }

  clear(): void {
    this.#open()
    this.namespace.clear()
  }

  // ------------------------------------------------------------------------------------------------ filling

  /** Begins a computation; its end is told to the returned function, which stores the value if nothing newer came. */
  beginFill(given: Key.Key, options?: SetOptions): Fill<V> {
    const key = this.#stored(given)
    // A bad ttl fails before anything is computed.
    if (options?.ttl !== undefined) TimeInput.ttlMillis(options.ttl)
    const filling = this.namespace.beginFill(key)
    return {
      store: (value) => {
        if (this.#closed()) return
        this.namespace.fill(key, filling, this.#encode(key, value), this.#ttlMillis(options?.ttl))
      },
      end: () => this.namespace.endFill(key, filling),
      overtaken: () => filling.touched
    }
  }

  // ------------------------------------------------------------------------------------------------ reports

  get metrics(): NamespaceMetrics {
    return metricsOf(this.namespace)
  }

  checksum(key?: Key.Key): string | undefined {
    this.#open()
    if (key !== undefined) requireKey(key)
    return checksumOf(this.namespace, this.#time.now(), key)
  }
}

/** Throws `InvalidKey` for what cannot be a key. */
export const requireKey = (key: unknown): void => {
  const problem = Key.problem(key)
  if (problem !== undefined) {
    throw McCacheError.make(
      "InvalidKey",
      `A key must be a non-empty string of at most ${Key.keyBytesMax} UTF-8 bytes or a finite number, not ${problem}.`
    )
  }
}

export const closedError = (): McCacheError.McCacheError =>
  McCacheError.make("Closed", "This McCache is closed: open another one, or stop using it before close.")

export const metricsOf = (namespace: Namespace): NamespaceMetrics => {
  const { replica, tally } = namespace
  return {
    count: replica.size,
    size: replica.bytes,
    lookups: tally.lookups,
    misses: tally.misses,
    inserts: tally.inserts,
    updates: tally.updates,
    deletes: tally.deletes,
    evicts: tally.evicts,
    expired: tally.expired,
    collisions: tally.collisions,
    incoherent: tally.incoherent,
    spikes: tally.spikes,
    spikeInterval: tally.spikes === 0 ? 0 : tally.spikeMillis / tally.spikes,
    tombstones: replica.tombstones,
    outbox: namespace.outbox.size,
    caughtUp: namespace.caughtUp
  }
}

/**
 * The checksum of a key's entry, or of all entries: over keys, stamps and the CRC-32 of values, whatever their order.
 * Members with the same entries have the same checksum. `undefined` for a key that is not there.
 */
export const checksumOf = (namespace: Namespace, now: number, key?: Key.Key): string | undefined => {
  if (key !== undefined) {
    const entry = Replica.peek(namespace.replica, key, now)
    return entry === undefined ? undefined : hex(entryHash(entry))
  }
  let low = 0
  let high = 0
  let count = 0
  for (const entry of Replica.entries(namespace.replica, now)) {
    const hash = entryHash(entry)
    low = (low + hash) >>> 0
    high = (high ^ Math.imul(hash, 0x9e37_79b1)) >>> 0
    count++
  }
  return `${count}-${hex(high)}${hex(low)}`
}

const hex = (value: number): string => value.toString(16).padStart(8, "0")

const entryHash = (entry: Record.Entry): number =>
  crc32(`${typeof entry.key}:${entry.key}:${entry.clock}:${entry.writer}:${entry.crc}`)
