/**
 * What a replica holds: a record per key, and the indexes over them, which change with it and only here: digest, buckets, and the
 * orders of eviction, expiry and age. Guaranteed: `size`, `bytes`, `tombstones` and the digest are those of `records`.
 */
import { BucketIndex } from "./BucketIndex.ts"
import * as Digest from "./Digest.ts"
import type { Packed } from "./Packed.ts"
import type { Entry, Record, Tombstone } from "./Record.ts"
import { RecordTable } from "./RecordTable.ts"
import type { Put } from "./ReplicaEvent.ts"
import type { Options } from "./ReplicaOptions.ts"
import * as Stamp from "./Stamp.ts"
import { StampHeap } from "./StampHeap.ts"
import { UsedOrder } from "./UsedOrder.ts"

export interface Holdings {
  readonly options: Options
  /** Whether the least recently used entry goes first. */
  readonly evictsUsed: boolean
  readonly records: RecordTable
  readonly digest: Digest.Digest
  /** Entries, unfreed expired ones included. */
  size: number
  bytes: number
  tombstones: number
  readonly byStamp: StampHeap<Entry>
  readonly byExpiry: StampHeap<Entry>
  readonly byUse: UsedOrder
  readonly graves: StampHeap<Tombstone>
  readonly ends: StampHeap<Tombstone>
  readonly byBucket: BucketIndex
}

const clockOf = (record: Record): number => record.clock

/** When a tombstone may be dropped: its stamp is a horizon old and, of an expiry, its time has come everywhere. */
export const endOf = (tombstone: Tombstone, horizonMillis: number): number =>
  Math.max(Stamp.toMillis(tombstone.clock) + horizonMillis, tombstone.expiresAt)

export const make = (options: Options): Holdings => ({
  options,
  evictsUsed: options.eviction === "used",
  records: new RecordTable(),
  digest: Digest.make(),
  size: 0,
  bytes: 0,
  tombstones: 0,
  byStamp: new StampHeap<Entry>(clockOf, true),
  byExpiry: new StampHeap<Entry>((entry) => entry.expiresAt, false),
  byUse: new UsedOrder(),
  graves: new StampHeap<Tombstone>(clockOf, true),
  ends: new StampHeap<Tombstone>((tombstone) => endOf(tombstone, options.tombstoneHorizonMillis), false),
  byBucket: new BucketIndex()
})

/** Indexes and the outbox may point at an entry for a while. Only of one that was looked up is told that it changed since. */
const letGo = (self: Holdings, entry: Entry): void => entry.release(self.records.lookedUpAt(entry) !== undefined)

/** Takes a record out of all indexes; the map is the caller's. */
export const release = (self: Holdings, record: Record): void => {
  self.byBucket.remove(record)
  if (self.options.mode === 1) Digest.toggle(self.digest, record, -1)
  if (record.kind === "entry") {
    self.size--
    self.bytes -= record.bytes
    letGo(self, record)
    if (record.expiresAt !== 0) self.byExpiry.released()
    if (self.evictsUsed) self.byUse.remove(record)
    else self.byStamp.released()
  } else {
    record.held = false
    self.tombstones--
    self.graves.released()
    self.ends.released()
  }
}

export const holdEntry = (self: Holdings, entry: Entry): void => {
  self.records.set(entry)
  self.byBucket.add(entry)
  self.size++
  self.bytes += entry.bytes
  if (self.options.mode === 1) Digest.toggle(self.digest, entry, 1)
  if (entry.expiresAt !== 0) self.byExpiry.add(entry)
  if (self.evictsUsed) self.byUse.add(entry)
  else self.byStamp.add(entry)
}

export const holdTombstone = (self: Holdings, tombstone: Tombstone): void => {
  self.records.set(tombstone)
  self.byBucket.add(tombstone)
  self.tombstones++
  if (self.options.mode === 1) Digest.toggle(self.digest, tombstone, 1)
  self.graves.add(tombstone)
  self.ends.add(tombstone)
}

/** Whether `rewrite` may: an entry stays where it is in the orders, so it must come no sooner in them, nor tie with itself. */
export const isRewritable = ({ clock, expiresAt }: Entry, write: Put): boolean =>
  write.clock > clock && (expiresAt === 0 ? write.expiresAt === 0 : write.expiresAt >= expiresAt)

/** An entry takes the value of a newer write: what `release` and `holdEntry` of one made anew do, in a fraction of the time. */
export const rewrite = (self: Holdings, entry: Entry, write: Put, value: Packed, nowMillis: number): void => {
  if (self.options.mode === 1) Digest.toggle(self.digest, entry, -1)
  self.bytes -= entry.bytes
  entry.rewrite(write, value, nowMillis)
  self.records.renew(entry)
  self.bytes += entry.bytes
  if (self.options.mode === 1) Digest.toggle(self.digest, entry, 1)
  if (self.evictsUsed) self.byUse.use(entry)
}

/** Empties it. */
export const clear = (self: Holdings): void => {
  for (const record of self.records.values()) {
    if (record.kind === "entry") letGo(self, record)
    else record.held = false
  }
  self.records.clear()
  Digest.clear(self.digest)
  self.byBucket.drop()
  self.byStamp.clear()
  self.byExpiry.clear()
  self.byUse.clear()
  self.graves.clear()
  self.ends.clear()
  self.size = 0
  self.bytes = 0
  self.tombstones = 0
}
