/**
 * The replica of a namespace: the rules of coherence (section 6 of the design) as one pure machine. Its state is the fold
 * of its events, `apply` is the single way in, for local, remote, repaired and computed writes alike.
 *
 * State: a record per key, an entry or a tombstone, under a stamp; the floor F, at or below which nothing exists; the
 * forget line G, at or below which knowledge of keys was dropped. Required from the caller: local stamps come from
 * `stamp`, and times are Unix milliseconds of the member's corrected clock. Guaranteed:
 *
 * 1. For a key, the stamps read never decrease; the greatest stamp received stays, or gives way to nothing.
 * 2. What was deleted, cleared, collided, expired or forgotten is not readable again, however late its copies arrive.
 * 3. Entries and bytes stay within `cacheMax` and `cacheSizeBytes`, tombstones within `tombstonesMax`.
 * 4. While nothing is forgotten, `apply` is a join: order and repetition of events do not matter.
 */
import * as Digest from "./Digest.ts"
import * as Holdings from "./Holdings.ts"
import * as HybridClock from "./HybridClock.ts"
import * as Invariant from "./Invariant.ts"
import * as Keys from "./Key.ts"
import type { Key } from "./Key.ts"
import type { Packed } from "./Packed.ts"
import type { Cause, Record } from "./Record.ts"
import { Entry, hashOf, Tombstone } from "./Record.ts"
import type { Event, Origin, Outcome, Put } from "./ReplicaEvent.ts"
import type { Observer, Removal } from "./ReplicaObserver.ts"
import type { Options } from "./ReplicaOptions.ts"
import * as Stamp from "./Stamp.ts"
import type { MemberId } from "./Stamp.ts"

export type { Event, Origin, Outcome, Put } from "./ReplicaEvent.ts"
export type { Observer, Removal } from "./ReplicaObserver.ts"
export type { Mode, Options } from "./ReplicaOptions.ts"

/** While a repair runs, local stamps exceed the peer's forget line, and keys of equal buckets obey it. */
export interface Hold {
  forget: number
  /** 1 for each bucket that was equal. */
  readonly equal: Uint8Array
}

/** Digests are compared as of whole multiples of this. */
export const quantumMillis = 2_000

export interface Replica extends Holdings.Holdings {
  readonly clock: HybridClock.HybridClock
  readonly observer: Observer
  readonly holds: Set<Hold>
  floor: number
  forget: number
  /** How often it was reset: its promises about the past (invariants 2, 3 and 5) begin anew with each. */
  incarnation: number
  /** The latest time that expiry was judged by: it never runs back. */
  judgedMillis: number
}

export const make = (options: Options, clock: HybridClock.HybridClock, observer: Observer): Replica => {
  Invariant.check(options.mode !== 1 || options.eviction === "updated", "mode 1 evicts by stamp")
  return {
    ...Holdings.make(options),
    clock,
    observer,
    holds: new Set(),
    floor: 0,
    forget: 0,
    incarnation: 0,
    judgedMillis: 0
  }
}

// -------------------------------------------------------------------------------------------------- reading

const judge = (self: Replica, nowMillis: number): number =>
  nowMillis > self.judgedMillis ? self.judgedMillis = nowMillis : self.judgedMillis

const readable = (self: Replica, record: Record | undefined, nowMillis: number): Entry | undefined => {
  if (record === undefined || record.kind !== "entry") return undefined
  return isReadable(self, record, nowMillis) ? record : undefined
}

/**
 * Whether there is an entry at a slot that has surely not expired, by a time that may lag: most lookups need no more. Otherwise
 * `isReadable` decides, by the exact time.
 */
export const isFresh = (self: Replica, slot: number, glancedMillis: number): boolean =>
  self.records.isFresh(slot, glancedMillis > self.judgedMillis ? glancedMillis : self.judgedMillis)

/** Whether an entry has not expired. */
export const isReadable = (self: Replica, entry: Entry, nowMillis: number): boolean =>
  entry.expiresAt === 0 || entry.expiresAt > judge(self, nowMillis)

/** A lookup found the entry at a slot. */
export const use = (self: Replica, slot: number): void => {
  const record = self.records.at(slot)
  if (self.evictsUsed && record?.kind === "entry") self.byUse.use(record)
}

/** The unexpired entry of a key. */
export const peek = (self: Replica, key: Key, nowMillis: number): Entry | undefined =>
  readable(self, self.records.get(key), nowMillis)

/** Whatever is held for a key. */
export const record = (self: Replica, key: Key): Record | undefined => self.records.get(key)

/** All unexpired entries; survives writes as iterating a `Map` does. */
export function* entries(self: Replica, nowMillis: number): IterableIterator<Entry> {
  for (const entry of self.records.entries()) if (isReadable(self, entry, nowMillis)) yield entry
}

/** A clock value for a local write or for the start of a fill: above everything seen, F, G, and G of peers in repair. */
export const stamp = (self: Replica, nowMillis: number): number => {
  let above = self.floor > self.forget ? self.floor : self.forget
  if (self.holds.size > 0) { for (const hold of self.holds) if (hold.forget > above) above = hold.forget }
  return HybridClock.next(self.clock, nowMillis, above)
}

/** When the next entry expires, Unix milliseconds; `Infinity` when none does. */
export const nextExpiry = (self: Replica): number => self.byExpiry.peek()?.expiresAt ?? Infinity

// -------------------------------------------------------------------------------------------------- records

/** Whenever knowledge of a key is dropped, the forget line rises to its stamp (rule 7). */
export const forgetRecord = (self: Replica, record: Record): void => {
  self.records.delete(record)
  Holdings.release(self, record)
  if (self.options.mode !== 2 && record.clock > self.forget) self.forget = record.clock
  if (record.kind === "tombstone") self.observer.forgot?.(record)
}

/** Replaces whatever is held for a key by a tombstone, or by nothing in mode 2, which keeps none. */
const bury = (
  self: Replica,
  held: Record | undefined,
  key: Key,
  keyHash: number,
  clock: number,
  writer: MemberId,
  cause: Cause,
  expiresAt: number
): void => {
  if (held !== undefined) {
    Holdings.release(self, held)
    self.records.delete(held)
  }
  if (self.options.mode === 2) return
  const tombstone = new Tombstone(key, keyHash, clock, writer, cause, expiresAt)
  if (held !== undefined) tombstone.place = held.place
  Holdings.holdTombstone(self, tombstone)
  while (self.tombstones > self.options.tombstonesMax) {
    const oldest = self.graves.peek()
    if (oldest === undefined) return
    forgetRecord(self, oldest)
  }
}

// -------------------------------------------------------------------------------------------------- the fold

/** Folds an event. */
export const apply = (self: Replica, event: Event, nowMillis: number): Outcome => {
  const outcome = fold(self, event, nowMillis)
  if (self.observer.folded !== undefined) self.observer.folded(event, outcome)
  return outcome
}

const fold = (self: Replica, event: Event, nowMillis: number): Outcome => {
  const { clock, origin } = event
  const given = origin === "remote" || origin === "repair"
  // Rule 1: a stamp too far ahead would drag this member's clock along.
  if (given && !HybridClock.observe(self.clock, clock, nowMillis)) return "refused"
  judge(self, nowMillis)
  if (event._tag === "Clear") return clear(self, event)
  const held = self.records.get(event.key)
  // Rule 4: nothing at or below the floor exists. What was computed since may still have read what this write replaces.
  if (clock <= self.floor) {
    return given && held !== undefined && mayHaveReadOld(self, held)
      ? applyInvalidating(self, event, held)
      : "forgotten"
  }
  // Rule 2 would let the greater writer win; rule 3 says that nobody can tell.
  if (held !== undefined && held.clock === clock && held.writer !== event.writer) {
    const outcome = collide(self, held, event)
    if (outcome !== undefined) return outcome
  }
  if (self.options.mode === 2) return applyInvalidating(self, event, held)
  // What its writer evicted before it was sent is told as a delete under its own stamp; a repair may have fetched it in between.
  if (event._tag === "Del" && origin === "remote" && held?.kind === "entry" && Stamp.compare(event, held) === 0) {
    return remove(self, event, held)
  }
  if (held === undefined) {
    if (clock <= forgetLine(self, event.key)) {
      // Ignored because of a repair that may yet be abandoned, and its line with it: what this event made old must stay gone.
      if (clock > self.forget) self.forget = clock
      return "forgotten"
    }
  } else if (clock < held.clock || (clock === held.clock && event.writer <= held.writer)) return "superseded"
  if (event._tag === "Del") return remove(self, event, held)
  if (self.options.mode === 0 && given && held?.kind !== "entry") {
    // Rule 9: not held here, so not stored; but what remembers an older stamp rises.
    if (held !== undefined) {
      bury(self, held, event.key, held.keyHash, clock, event.writer, "ghost", 0)
      self.observer.forgot?.(held)
    }
    return "unheld"
  }
  if (event.value === undefined) return "unheld"
  return put(self, event, event.value, held)
}

const remove = (self: Replica, event: Extract<Event, { readonly _tag: "Del" }>, held: Record | undefined): Outcome => {
  const cause = event.cause ?? "delete"
  const keyHash = held?.keyHash ?? hashOf(event.key)
  bury(self, held, event.key, keyHash, event.clock, event.writer, cause, event.expiresAt ?? 0)
  if (held?.kind === "entry") self.observer.removed(held, removalOf(cause), event.clock, event.origin)
  return "deleted"
}

const removalOf = (cause: Cause): Removal =>
  cause === "collision" ? "collision" : cause === "expiry" ? "expire" : cause === "ghost" ? "invalidate" : "delete"

/** The line at or below which an event for a key without a record is ignored. */
const forgetLine = (self: Replica, key: Key): number => {
  let line = self.forget
  if (self.holds.size === 0) return line
  const bucket = Digest.bucketOf(hashOf(key))
  for (const hold of self.holds) if (hold.equal[bucket] === 1 && hold.forget > line) line = hold.forget
  return line
}

/**
 * Rule 3: equal clocks of different writers. With `tie` both give way to what every member computes for itself; with
 * `latest` it is only told, and rule 2 decides.
 */
const collide = (
  self: Replica,
  held: Record,
  event: Exclude<Event, { readonly _tag: "Clear" }>
): Outcome | undefined => {
  // A collision that is known already, or comes as a repaired tombstone, is ordered by its writer.
  if (held.writer === Stamp.collisionWriter || event.writer === Stamp.collisionWriter) return undefined
  if (self.options.collision === "latest") {
    self.observer.collided(
      event.key,
      event.clock,
      event.origin,
      held.writer > event.writer ? held.writer : event.writer
    )
    return undefined
  }
  bury(self, held, event.key, held.keyHash, event.clock, Stamp.collisionWriter, "collision", 0)
  if (held.kind === "entry") self.observer.removed(held, "collision", event.clock, event.origin)
  else self.observer.forgot?.(held)
  self.observer.collided(event.key, event.clock, event.origin, Stamp.collisionWriter)
  return "collided"
}

const put = (self: Replica, event: Put, value: Packed, held: Record | undefined): Outcome => {
  const { clock, expiresAt, key, origin, writer } = event
  const keyHash = held === undefined ? hashOf(key) : held.keyHash
  const previous = held?.kind === "entry" ? held : undefined
  // Rule 5: an event that arrives already expired is folded all the same, so that it still supersedes.
  if (expiresAt !== 0 && expiresAt <= self.judgedMillis) {
    bury(self, held, key, keyHash, clock, writer, "expiry", expiresAt)
    if (previous !== undefined) self.observer.removed(previous, "expire", clock, origin)
    return "stored"
  }
  // Larger than the whole cache (another member has a larger one): it comes and goes, and nothing goes for it.
  if (!Keys.fits(key, value.length, self.options.cacheSizeBytes)) {
    if (held !== undefined) {
      Holdings.release(self, held)
      self.records.delete(held)
    }
    if (clock > self.forget) self.forget = clock
    if (previous !== undefined) self.observer.removed(previous, "evict", clock, origin)
    return "stored"
  }
  if (previous !== undefined) self.observer.replaced(previous, event)
  let entry = previous
  if (entry !== undefined && Holdings.isRewritable(entry, event)) {
    Holdings.rewrite(self, entry, event, value, self.judgedMillis)
  } else {
    if (held !== undefined) Holdings.release(self, held)
    // What was gone comes anew, at the end of the iteration order, as in a `Map`.
    if (held?.kind === "tombstone") self.records.delete(held)
    entry = new Entry(key, keyHash, event, value, self.judgedMillis)
    if (held !== undefined) entry.place = held.place
    Holdings.holdEntry(self, entry)
  }
  self.observer.put(entry, previous === undefined, origin)
  if (self.size > self.options.cacheMax || self.bytes > self.options.cacheSizeBytes) shrink(self, origin)
  return "stored"
}

/** What a key is now elsewhere is larger than the whole cache: what is older here goes. Whether nothing is held of it now. */
export const outgrow = (self: Replica, { clock, key, writer }: Stamp.Stamp & { readonly key: Key }): boolean => {
  const held = self.records.get(key)
  if (held === undefined) return true
  if (Stamp.compare({ clock, writer }, held) <= 0) return false
  forgetRecord(self, held)
  if (held.kind === "entry") self.observer.removed(held, "evict", clock, "repair")
  return true
}

/** Rule 8: what expired goes first, then by the order. */
const shrink = (self: Replica, origin: Origin): void => {
  freeExpired(self)
  while (self.size > self.options.cacheMax || self.bytes > self.options.cacheSizeBytes) {
    const entry = self.evictsUsed ? self.byUse.least() : self.byStamp.peek()
    Invariant.check(entry !== undefined, "a full cache has an entry to evict")
    if (self.options.mode === 0) {
      bury(self, entry, entry.key, entry.keyHash, entry.clock, entry.writer, "ghost", 0)
    } else forgetRecord(self, entry)
    self.observer.removed(entry, "evict", entry.clock, origin)
  }
}

/** Rule 9, mode 2: others' writes remove what is older here; only own writes and fills bring values. */
const applyInvalidating = (
  self: Replica,
  event: Exclude<Event, { readonly _tag: "Clear" }>,
  held: Record | undefined
): Outcome => {
  const given = event.origin === "remote" || event.origin === "repair"
  if (!given && event._tag === "Put") {
    if (event.value === undefined) return "unheld"
    if (
      held !== undefined && (event.clock < held.clock || (event.clock === held.clock && event.writer <= held.writer))
    ) {
      return "superseded"
    }
    return put(self, event, event.value, held)
  }
  if (held?.kind !== "entry") return "unheld"
  if (Stamp.compare(event, held) <= 0 && !mayHaveReadOld(self, held)) return "superseded"
  self.records.delete(held)
  Holdings.release(self, held)
  self.observer.removed(held, event._tag === "Del" ? "delete" : "invalidate", event.clock, event.origin)
  return event._tag === "Del" ? "deleted" : "invalidated"
}

/**
 * Mode 2: a fill may have read, before a write, what that write replaces, under a clock that ran ahead of the writer's by
 * whatever clocks are apart. Computing it once more is all that a write costs that was heard late.
 */
const mayHaveReadOld = (self: Replica, held: Record): boolean =>
  self.options.mode === 2 && held.kind === "entry" && held.filled

const clear = (self: Replica, event: Extract<Event, { readonly _tag: "Clear" }>): Outcome => {
  const known = event.clock <= self.floor
  if (known && self.options.mode !== 2) return "superseded"
  if (!known) self.floor = event.clock
  self.byBucket.drop()
  for (const record of self.records.values()) {
    if (record.clock > event.clock && !mayHaveReadOld(self, record)) continue
    self.records.delete(record)
    Holdings.release(self, record)
    if (record.kind === "entry") self.observer.removed(record, "clear", event.clock, event.origin)
  }
  // Gives back the room of what was here.
  if (self.records.size === 0) self.records.clear()
  if (known) return "superseded"
  self.observer.cleared?.(event.clock, event.origin)
  return "cleared"
}

// -------------------------------------------------------------------------------------------------- time

const freeExpired = (self: Replica): void => {
  while (true) {
    const entry = self.byExpiry.peek()
    if (entry === undefined || entry.expiresAt > self.judgedMillis) return
    bury(self, entry, entry.key, entry.keyHash, entry.clock, entry.writer, "expiry", entry.expiresAt)
    self.observer.removed(entry, "expire", entry.clock, "local")
  }
}

/**
 * Frees expired entries into tombstones, and drops the tombstones that are a horizon old as of the quantum: members with
 * the same records and the same quantum then have the same digest. Returns the quantum.
 */
export const sweep = (self: Replica, nowMillis: number): number => {
  const now = judge(self, nowMillis)
  freeExpired(self)
  self.byBucket.rest(now)
  const quantum = Math.floor(now / quantumMillis)
  const horizon = self.options.tombstoneHorizonMillis
  while (true) {
    const tombstone = self.ends.peek()
    if (tombstone === undefined || Holdings.endOf(tombstone, horizon) > quantum * quantumMillis) return quantum
    forgetRecord(self, tombstone)
  }
}

/** Forgets all records and the forget line, keeps the floor: from here on a new member, to be transferred anew. */
export const reset = (self: Replica): void => {
  dropAll(self)
  self.forget = 0
  self.judgedMillis = 0
  self.incarnation++
}

/** Mode 2 after an abandoned gap: nothing that is held can be trusted any more. */
export const dropAll = (self: Replica): void => {
  for (const entry of self.records.entries()) self.observer.removed(entry, "repair", 0, "repair")
  Holdings.clear(self)
}
