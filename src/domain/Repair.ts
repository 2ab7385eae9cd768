/**
 * Repair, one-sided: a *taker* pulls from a *donor* (section 8 of the design). A symmetric repair is two of these, a join
 * is one in which only the joiner takes. The donor's side has no state: each answer is complete and from one turn.
 *
 * 1. The taker asks for the digest, joins its floor, and notes the donor's forget line: until the end local stamps exceed
 *    it, and keys of equal buckets obey it.
 * 2. It asks for the listing of each bucket that differs, and wants what is newer there, and what it lacks if above its
 *    own F and G. What comes is admitted by its own current F and G. Every listed stamp advances the clock, wanted or not.
 * 3. When all has come, in one turn: what became too large to be held here is forgotten; what is held then of a listed bucket, is not in its listing, and is at or below the
 *    listing's G, is dropped; G becomes the greatest that was told. A record that is gone, older than listed, or refused
 *    leaves the repair unfinished: no drop, no G. Absence is concluded only from a complete listing.
 */
import * as Digests from "./Digest.ts"
import * as HybridClock from "./HybridClock.ts"
import type { Key } from "./Key.ts"
import type { Packed } from "./Packed.ts"
import type { Cause, Record } from "./Record.ts"
import * as Replica from "./Replica.ts"
import * as Stamp from "./Stamp.ts"
import type { MemberId } from "./Stamp.ts"

export interface Digest {
  readonly quantum: number
  readonly floor: number
  readonly forget: number
  readonly count: number
  /** 512 words: two lanes a bucket. None when nothing is held: all would be 0. */
  readonly hashes: ReadonlyArray<number>
}

/** 0 entry · 1 delete · 2 collision · 3 expiry · 4 ghost. */
export type Kind = 0 | 1 | 2 | 3 | 4

export interface Item {
  readonly key: Key
  readonly clock: number
  readonly writer: MemberId
  readonly kind: Kind
  /** What its copy takes, about. */
  readonly bytes: number
}

export interface Listing {
  readonly bucket: number
  readonly floor: number
  readonly forget: number
  readonly items: ReadonlyArray<Item>
}

export interface Copy {
  readonly key: Key
  readonly clock: number
  readonly writer: MemberId
  readonly kind: Kind
  readonly expiresAt: number
  readonly crc: number
  readonly value: Packed | undefined
}

const kinds: { readonly [C in Cause]: Kind } = { delete: 1, collision: 2, expiry: 3, ghost: 4 }
const causes: ReadonlyArray<Cause> = ["delete", "delete", "collision", "expiry", "ghost"]

const kindOf = (record: Record): Kind => record.kind === "entry" ? 0 : kinds[record.cause]

// -------------------------------------------------------------------------------------------------- the donor

/** The bucket hashes as of the quantum. */
export const digest = (replica: Replica.Replica, nowMillis: number): Digest => {
  const quantum = Replica.sweep(replica, nowMillis)
  return {
    quantum,
    floor: replica.floor,
    forget: replica.forget,
    count: replica.digest.count,
    hashes: replica.digest.count === 0 ? [] : Array.from(replica.digest.lanes)
  }
}

/** What rides on every heartbeat: enough to see that something differs. */
export const light = (
  replica: Replica.Replica,
  nowMillis: number
): { readonly quantum: number; readonly count: number; readonly hash: string } => {
  const quantum = Replica.sweep(replica, nowMillis)
  return { quantum, count: replica.digest.count, hash: Digests.hash(replica.digest) }
}

/** All records of a bucket. */
export const listing = (replica: Replica.Replica, bucket: number, nowMillis: number): Listing => {
  Replica.sweep(replica, nowMillis)
  const items: Array<Item> = []
  for (const record of replica.byBucket.recordsOf(bucket, replica.records, nowMillis)) {
    items.push({
      key: record.key,
      clock: record.clock,
      writer: record.writer,
      kind: kindOf(record),
      bytes: record.kind === "entry" ? record.bytes : 16
    })
  }
  return { bucket, floor: replica.floor, forget: replica.forget, items }
}

/** Copies of the records that are still held. */
export const copies = (replica: Replica.Replica, keys: ReadonlyArray<Key>, nowMillis: number): ReadonlyArray<Copy> => {
  Replica.sweep(replica, nowMillis)
  const found: Array<Copy> = []
  for (const key of new Set(keys)) {
    const record = Replica.record(replica, key)
    if (record === undefined) continue
    found.push({
      key,
      clock: record.clock,
      writer: record.writer,
      kind: kindOf(record),
      expiresAt: record.expiresAt,
      crc: record.kind === "entry" ? record.crc : 0,
      value: record.kind === "entry" ? record.value : undefined
    })
  }
  return found
}

// -------------------------------------------------------------------------------------------------- the taker

interface Listed {
  readonly forget: number
  readonly keys: Set<Key>
}

export interface Repair {
  readonly replica: Replica.Replica
  readonly kind: "repair" | "join"
  /** Whether what the donor does not list is gone: else only keys that both hold are compared, and nothing is concluded. */
  readonly conclusive: boolean
  readonly hold: Replica.Hold
  readonly listed: Map<number, Listed>
  /** What was asked for and did not come yet, with the stamps that were listed. */
  readonly wanted: Map<Key, Item>
  /** Larger than all that may be held here. That it is forgotten is noted at the end: the forget line rises above all that is wanted. */
  readonly outgrown: Array<Item>
  /** Something was gone, older than listed, or refused. */
  spoiled: boolean
}

/**
 * Begins a take. In mode 0 every bucket is listed, and only what is held here is wanted. A donor of another size forgot for
 * want of room what need not be forgotten here: a take from it is conclusive only when its writes were missed.
 */
export const start = (replica: Replica.Replica, kind: "repair" | "join", conclusive = true): Repair => ({
  replica,
  kind,
  conclusive,
  hold: { forget: 0, equal: new Uint8Array(Digests.buckets) },
  listed: new Map(),
  wanted: new Map(),
  outgrown: [],
  spoiled: false
})

/** Takes in the donor's floor and forget line, which advance the clock as stamps do. */
const admit = (self: Repair, floor: number, forget: number, nowMillis: number): void => {
  const { replica } = self
  if (!HybridClock.observe(replica.clock, Math.max(floor, forget), nowMillis)) {
    self.spoiled = true
    return
  }
  if (floor > replica.floor) {
    Replica.apply(replica, { _tag: "Clear", clock: floor, writer: Stamp.zero.writer, origin: "repair" }, nowMillis)
  }
  if (!self.conclusive) return
  if (forget > self.hold.forget) self.hold.forget = forget
  replica.holds.add(self.hold)
}

const hashesOfNothing: ReadonlyArray<number> = Array.from({ length: 2 * Digests.buckets }, () => 0)

/** Which buckets to list; nothing can be said when the quanta differ, as then what is out differs. */
export const onDigest = (
  self: Repair,
  theirs: Digest,
  nowMillis: number
): { readonly _tag: "Retry" } | { readonly _tag: "Buckets"; readonly buckets: ReadonlyArray<number> } => {
  const quantum = Replica.sweep(self.replica, nowMillis)
  if (self.kind === "repair" && theirs.quantum !== quantum) return { _tag: "Retry" }
  const hashes = theirs.count === 0 && theirs.hashes.length === 0 ? hashesOfNothing : theirs.hashes
  if (hashes.length !== 2 * Digests.buckets) {
    self.spoiled = true
    return { _tag: "Buckets", buckets: [] }
  }
  admit(self, theirs.floor, theirs.forget, nowMillis)
  const { lanes } = self.replica.digest
  const buckets: Array<number> = []
  for (let bucket = 0; bucket < Digests.buckets; bucket++) {
    const equal = lanes[2 * bucket] === hashes[2 * bucket] && lanes[2 * bucket + 1] === hashes[2 * bucket + 1]
    if (!equal) buckets.push(bucket)
    else self.hold.equal[bucket] = 1
  }
  return { _tag: "Buckets", buckets }
}

/** What to ask copies of. */
export const onListing = (self: Repair, theirs: Listing, nowMillis: number): ReadonlyArray<Item> => {
  const { replica } = self
  Replica.sweep(replica, nowMillis)
  admit(self, theirs.floor, theirs.forget, nowMillis)
  const keys = new Set<Key>()
  const wanted: Array<Item> = []
  for (const item of theirs.items) {
    keys.add(item.key)
    if (item.clock <= replica.floor) continue
    // Also what is not wanted, as it is not held here (mode 0): a local write after this must be newer. Else an old value that
    // arrives late would be newer than that write, and come back although the donor listed it as deleted.
    if (!HybridClock.observe(replica.clock, item.clock, nowMillis)) {
      self.spoiled = true
      continue
    }
    const held = Replica.record(replica, item.key)
    if (item.kind === 0 && item.bytes > replica.options.cacheSizeBytes) {
      // No copy comes for it, which would be held against the clock: rule 1 is its listing's.
      Replica.outgrow(replica, item)
      self.outgrown.push(item)
      continue
    }
    if (held === undefined) {
      if (!self.conclusive) continue
      if (replica.options.mode !== 1 || item.clock <= replica.forget) continue
    } else {
      const tied = replica.options.collision === "tie" && held.clock === item.clock && held.writer !== item.writer &&
        held.writer !== Stamp.collisionWriter
      if (!tied && Stamp.compare(item, held) <= 0) continue
    }
    wanted.push(item)
    self.wanted.set(item.key, item)
  }
  self.listed.set(theirs.bucket, { forget: theirs.forget, keys })
  return wanted
}

/** Folds the copies that came. */
export const onCopies = (self: Repair, theirs: ReadonlyArray<Copy>, nowMillis: number): void => {
  for (const copy of theirs) {
    const listed = self.wanted.get(copy.key)
    if (listed === undefined) continue
    if (Stamp.compare(copy, listed) < 0) {
      self.spoiled = true
      continue
    }
    const { clock, key, writer } = copy
    const outcome = copy.kind === 0 && copy.value !== undefined
      ? Replica.apply(self.replica, {
        _tag: "Put",
        key,
        clock,
        writer,
        expiresAt: copy.expiresAt,
        crc: copy.crc,
        value: copy.value,
        origin: "repair"
      }, nowMillis)
      : Replica.apply(self.replica, {
        _tag: "Del",
        key,
        clock,
        writer,
        origin: "repair",
        cause: causes[copy.kind],
        expiresAt: copy.expiresAt
      }, nowMillis)
    if (outcome === "refused") self.spoiled = true
    else self.wanted.delete(key)
  }
}

/** Ends a take when all has come; false when it is unfinished, and nothing was concluded. */
export const finish = (self: Repair, nowMillis: number): boolean => {
  abandon(self)
  if (self.spoiled || self.wanted.size > 0) return false
  const { replica } = self
  Replica.sweep(replica, nowMillis)
  for (const item of self.outgrown) {
    if (Replica.outgrow(replica, item) && item.clock > replica.forget) replica.forget = item.clock
  }
  if (!self.conclusive) return true
  if (self.listed.size > 0) {
    for (const record of replica.records.values()) {
      const listed = self.listed.get(Digests.bucketOf(record.keyHash))
      if (listed === undefined || record.clock > listed.forget || listed.keys.has(record.key)) continue
      Replica.forgetRecord(replica, record)
      if (record.kind === "entry") replica.observer.removed(record, "repair", record.clock, "repair")
    }
  }
  // The greatest line that was told: what the donor knew when it told its digest, and dropped before it listed the bucket, is
  // below that of the listing only.
  if (self.hold.forget > replica.forget) replica.forget = self.hold.forget
  return true
}

/** Lets go of the donor's forget line. */
export const abandon = (self: Repair): void => {
  self.replica.holds.delete(self.hold)
}
