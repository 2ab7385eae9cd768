/**
 * A cache namespace of this member: its replica, its inbox of remote events (an actor), its outbox, and what it counts.
 *
 * A local write is applied on the caller's own turn, so that the next line reads it, and its key goes to the outbox. A
 * remote write arrives through the inbox and is folded by the actor. Both end in `Replica.apply`, the single way in; what
 * it did comes back through the observer, which feeds the counters, the subscribers of changes, and the callback.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as HybridClock from "../domain/HybridClock.ts"
import type { Key } from "../domain/Key.ts"
import { Outbox, type Places } from "../domain/Outbox.ts"
import type { Packed } from "../domain/Packed.ts"
import type * as Record from "../domain/Record.ts"
import * as Replica from "../domain/Replica.ts"
import type { MemberId } from "../domain/Stamp.ts"
import * as StampOf from "../domain/Stamp.ts"
import * as Actor from "./Actor.ts"
import type { ChangedSinceRead } from "./Changes.ts"
import * as Changes from "./Changes.ts"
import type { Counters } from "./Counters.ts"
import type { MemberTime } from "./MemberTime.ts"
import type { Witness } from "./Witness.ts"

/** Marks a datagram whose records are being folded: settled when the last namespace that it touches has folded. */
export interface Token {
  readonly sender: MemberId
  readonly number: number
  /** Namespaces that still fold. */
  remaining: number
  /** An event in it was refused: it must not be acknowledged as folded. */
  refused: boolean
}

/** Remote events of one batch of datagrams, in order: those before `ends[i]` came in the datagram of `tokens[i]`. */
export interface Delivery {
  readonly events: Array<Replica.Event>
  readonly tokens: Array<Token>
  readonly ends: Array<number>
}

/** What a namespace counts, under the names that McCache reports. */
export interface Tally {
  lookups: number
  misses: number
  inserts: number
  updates: number
  deletes: number
  evicts: number
  expired: number
  collisions: number
  incoherent: number
  spikes: number
  spikeMillis: number
  changedAt: number
}

/** What a namespace needs from the member that it belongs to. */
export interface Host {
  readonly self: MemberId
  readonly time: MemberTime
  readonly clock: HybridClock.HybridClock
  readonly counters: Counters
  readonly places: Places
  readonly callbackWindowMillis: number
  /** The outbox has something to send. */
  readonly wakeMulticaster: () => void
  /** The outbox overflowed: peers must repair from this member. */
  readonly overflowed: () => void
  /** These datagrams are folded here. */
  readonly settled: (tokens: ReadonlyArray<Token>) => void
  readonly witness: Witness | undefined
  /** A broken invariant in the fold: the namespace must start anew. */
  readonly broken: (namespace: Namespace) => void
}

/** One computation of `getOrSet` that is under way. */
export interface Filling {
  readonly clock: number
  touched: boolean
}

const inboxCapacityDeliveries = 16_384

export class Namespace {
  readonly name: string
  readonly options: Replica.Options
  readonly ttlMillis: number
  readonly fingerprint: string
  readonly sizing: string
  readonly replica: Replica.Replica
  readonly outbox: Outbox
  readonly tally: Tally
  /** Members whose options differ in what must be equal: their events are dropped. */
  readonly refusedMembers = new Set<MemberId>()
  /** Whether this member knows what the cluster knew when it opened the namespace. */
  caughtUp = false
  /** The last number of this member's stream that was sent before the namespace began: none up to it carries what is held now. */
  sentBefore = 0
  readonly changes: Changes.Changes
  /** Keys that await sending but of which nothing is held any more, with the clocks of their stamps. */
  readonly goneUnsent = new Map<Key, number>()
  readonly #host: Host
  /** When the replica last changed, by this member's time. */
  #changedMillis = 0
  readonly #filling = new Map<Key, Array<Filling>>()
  /** What the fold in hand has not done yet. */
  #folding: Array<Delivery> = []
  /** The inbox; set by `open`. */
  inbox: Actor.Actor<Delivery>

  constructor(
    host: Host,
    settings: {
      readonly name: string
      readonly options: Replica.Options
      readonly ttlMillis: number
      readonly fingerprint: string
      readonly sizing: string
      readonly floor: number
      readonly changes: Changes.Changes
    },
    inbox: Actor.Actor<Delivery>
  ) {
    this.#host = host
    this.name = settings.name
    this.options = settings.options
    this.ttlMillis = settings.ttlMillis
    this.fingerprint = settings.fingerprint
    this.sizing = settings.sizing
    this.changes = settings.changes
    this.inbox = inbox
    this.tally = {
      lookups: 0,
      misses: 0,
      inserts: 0,
      updates: 0,
      deletes: 0,
      evicts: 0,
      expired: 0,
      collisions: 0,
      incoherent: 0,
      spikes: 0,
      spikeMillis: 0,
      changedAt: 0
    }
    const { witness } = host
    this.outbox = new Outbox(host.places, settings.options.cacheMax + settings.options.tombstonesMax)
    this.replica = Replica.make(settings.options, host.clock, {
      replaced: (entry, by) => this.#replaced(entry, by),
      put: (entry, isNew, origin) => this.#put(entry, isNew, origin),
      removed: (entry, reason, clock, origin) => this.#removed(entry, reason, clock, origin),
      cleared: (clock, origin) => this.#cleared(clock, origin),
      forgot: (tombstone) => this.#goneUnsent(tombstone),
      collided: (key, clock, origin, writer) => this.#collided(key, clock, origin, writer),
      folded: witness && ((event, outcome) => witness.folded(host.self, this, event, outcome))
    })
    if (settings.floor > 0) this.#clearTo(settings.floor, "repair")
  }

  // ---------------------------------------------------------------------------------------------- local writes

  /** Stores an encoded value under a stamp of now, for so long; 0 is for ever. Returns the stamp's clock. */
  set(key: Key, value: Packed, ttlMillis: number, now: number): number {
    const clock = Replica.stamp(this.replica, now)
    // Modes 0 and 2 may have forgotten this write when a computation that began before it ends.
    this.#touch(key)
    Replica.apply(this.replica, {
      _tag: "Put",
      key,
      clock,
      writer: this.#host.self,
      expiresAt: ttlMillis === 0 ? 0 : now + ttlMillis,
      crc: undefined,
      value,
      origin: "local"
    }, now)
    const record = Replica.record(this.replica, key)
    // Expired at once, by a clock that ran back: in mode 2 nothing else would tell the others.
    this.#send(key, record, this.options.mode === 2 && record === undefined ? clock : 0, now)
    return clock
  }

  /** Deletes a key; whether it was there. The delete travels even if it was not: others may hold what is unknown here. */
  delete(key: Key): boolean {
    const now = this.#host.time.now()
    const held = Replica.peek(this.replica, key, now) !== undefined
    // Mode 2 keeps no tombstone: nothing else would tell a computation in flight that its result is old.
    this.#touch(key)
    const clock = Replica.stamp(this.replica, now)
    Replica.apply(this.replica, { _tag: "Del", key, clock, writer: this.#host.self, origin: "local" }, now)
    // Mode 2 keeps no tombstone that the Multicaster could read the delete from.
    this.#send(key, Replica.record(this.replica, key), this.options.mode === 2 ? clock : 0, now)
    return held
  }

  /** Clears the namespace here and everywhere. */
  clear(): number {
    const clock = Replica.stamp(this.replica, this.#host.time.now())
    this.#clearTo(clock, "local")
    // Its stamp exceeds those of all that waits.
    this.outbox.addClear(clock, true)
    this.goneUnsent.clear()
    this.#host.wakeMulticaster()
    return clock
  }

  /** Raises the floor to that of another member, or of a clear of all namespaces, which travels by itself. */
  clearWith(clock: number): void {
    if (clock > this.replica.floor) this.#clearTo(clock, "remote")
  }

  #clearTo(clock: number, origin: Replica.Origin): void {
    const clear: Replica.Event = { _tag: "Clear", clock, writer: this.#host.self, origin }
    const now = this.#host.time.now()
    if (Replica.apply(this.replica, clear, now) === "refused") return
    this.overtake()
    this.#changedMillis = now
  }

  /** Whether nothing was written or removed for about so long: a clock that jumps may be wrong about it once. */
  isQuiet(millis: number): boolean {
    return Math.abs(this.#host.time.now() - this.#changedMillis) >= millis
  }

  /** Has what is held of a key now sent; or, if that does not tell it, that there is nothing since a clock value. */
  #send(key: Key, record: Record.Record | undefined, gone: number, now: number): void {
    this.#changedMillis = now
    const waits = this.#waits(key, record)
    if (gone > 0) this.goneUnsent.set(key, gone)
    if (!waits && !this.outbox.add(record ?? { kind: "absence", key, place: 0, held: false })) {
      this.#host.counters.outboxOverflows++
      this.dropUnsent()
      this.#host.overflowed()
    }
    this.#host.wakeMulticaster()
  }

  /** Whether a key, of which this is or was held last, awaits sending. */
  #waits(key: Key, record: Record.Record | undefined): boolean {
    return (record !== undefined && this.outbox.has(record)) || (this.goneUnsent.size > 0 && this.goneUnsent.has(key))
  }

  // ---------------------------------------------------------------------------------------------- fills

  /** Begins a computation for a key: everything that happens from now on is newer than its result (rule 10). */
  beginFill(key: Key): Filling {
    const filling: Filling = { clock: Replica.stamp(this.replica, this.#host.time.now()), touched: false }
    const fillings = this.#filling.get(key)
    if (fillings === undefined) this.#filling.set(key, [filling])
    else fillings.push(filling)
    return filling
  }

  endFill(key: Key, filling: Filling): void {
    const fillings = (this.#filling.get(key) ?? []).filter((other) => other !== filling)
    if (fillings.length === 0) this.#filling.delete(key)
    else this.#filling.set(key, fillings)
  }

  /** Stores what was computed, unless something newer arrived meanwhile. Whether it was stored. */
  fill(key: Key, filling: Filling, value: Packed, ttlMillis: number): boolean {
    if (filling.touched) return false
    const now = this.#host.time.now()
    const outcome = Replica.apply(this.replica, {
      _tag: "Put",
      key,
      clock: filling.clock,
      writer: this.#host.self,
      expiresAt: ttlMillis === 0 ? 0 : now + ttlMillis,
      crc: undefined,
      value,
      origin: "fill"
    }, now)
    if (outcome !== "stored") return false
    // In mode 2 values never travel and a fill changes nothing for the others.
    if (this.options.mode === 2) return true
    // The oldest of a full cache by the time that it was computed, it went at once: what it made old elsewhere must go, too.
    const record = Replica.record(this.replica, key)
    this.#send(key, record, record?.kind === "entry" ? 0 : filling.clock, now)
    return true
  }

  /**
   * A donor listed what it holds. Where that is as new as a computation in flight, the result is old, although no copy may be
   * wanted of what is not held here (mode 0, and members of other sizes).
   */
  listed(items: ReadonlyArray<{ readonly key: Key; readonly clock: number }>): void {
    if (this.#filling.size === 0) return
    for (const { clock, key } of items) {
      for (const filling of this.#filling.get(key) ?? []) if (clock >= filling.clock) filling.touched = true
    }
  }

  /** Something happened that may be newer than what is being computed, whatever its key: none of it is stored. */
  overtake(): void {
    for (const fillings of this.#filling.values()) for (const filling of fillings) filling.touched = true
  }

  #touch(key: Key): void {
    if (this.#filling.size === 0) return
    const fillings = this.#filling.get(key)
    if (fillings !== undefined) { for (const filling of fillings) filling.touched = true }
  }

  // ---------------------------------------------------------------------------------------------- the inbox

  /** Folds what arrived: the actor's behaviour. */
  fold(deliveries: ReadonlyArray<Delivery>): Effect.Effect<void> | undefined {
    const now = this.#host.time.now()
    this.#folding = [...deliveries]
    for (const delivery of deliveries) {
      let index = 0
      for (let datagram = 0; datagram < delivery.tokens.length; datagram++) {
        // One write speaks for the datagram that it came with.
        this.#host.counters.propagation.record(now - StampOf.toMillis(delivery.events[index].clock))
        for (; index < delivery.ends[datagram]; index++) {
          if (this.foldEvent(delivery.events[index], now) === "refused") delivery.tokens[datagram].refused = true
        }
      }
      this.#folding.shift()
      this.#host.settled(delivery.tokens)
    }
    return this.changes.callBack()
  }

  /** Folds one event of another member. */
  foldEvent(event: Replica.Event, now: number): Replica.Outcome {
    const outcome = Replica.apply(this.replica, event, now)
    if (this.#filling.size > 0) {
      if (event._tag === "Clear") this.overtake()
      else this.#touch(event.key)
    }
    if (outcome === "refused") this.#host.counters.refused.clock++
    return outcome
  }

  /** A fold that died halfway: what it did not get to counts as lost, and the namespace starts anew. */
  restarted(): void {
    const deliveries = this.#folding.splice(0)
    if (deliveries.length === 0) return
    for (const { tokens } of deliveries) {
      for (const token of tokens) token.refused = true
      this.#host.settled(tokens)
    }
    this.#host.broken(this)
  }

  /** Begins anew, empty, as a member that just started. Whether something goes with the rest that was not sent yet. */
  startAnew(): boolean {
    const unsent = this.outbox.size > 0
    Replica.reset(this.replica)
    this.dropUnsent()
    this.overtake()
    return unsent
  }

  /** Mode 2 after an abandoned gap: everything goes, fills in flight included. */
  dropAll(): void {
    Replica.dropAll(this.replica)
    this.overtake()
  }

  // ---------------------------------------------------------------------------------------------- what happened

  #replaced(entry: Record.Entry, by: Replica.Put): void {
    if (by.origin !== "remote" && by.origin !== "repair") return
    const type = by.origin === "repair" ? "incoherent" : "update"
    this.#changedSinceRead(entry, type, by)
  }

  #put(entry: Record.Entry, isNew: boolean, origin: Replica.Origin): void {
    if (isNew) this.tally.inserts++
    else this.tally.updates++
    this.#changed(this.replica.judgedMillis)
    this.changes.publish("set", entry.key, entry.clock, entry.writer, origin)
  }

  #removed(
    entry: Record.Entry,
    reason: Parameters<Replica.Observer["removed"]>[1],
    clock: number,
    origin: Replica.Origin
  ): void {
    const tally = this.tally
    switch (reason) {
      case "evict": {
        tally.evicts++
        this.#goneUnsent(entry)
        this.changes.publish("evict", entry.key, entry.clock, entry.writer, origin)
        return
      }
      case "expire": {
        tally.expired++
        if (this.options.mode === 2) this.#goneUnsent(entry)
        this.changes.publish("expire", entry.key, entry.clock, entry.writer, origin)
        return
      }
      case "clear": {
        tally.deletes++
        this.changes.publish("clear", entry.key, clock, entry.writer, origin)
        break
      }
      case "collision": {
        // Told here by `#collided`; to the others by the tombstone or, when there is none (any more), by this.
        this.#goneUnsent(entry)
        break
      }
      case "delete":
      case "invalidate":
      case "repair": {
        tally.deletes++
        // Mode 2 keeps no tombstone that could tell that the key waits already.
        if (origin === "remote" || origin === "repair" || this.options.mode === 2) this.#goneUnsent(entry)
        this.changes.publish("delete", entry.key, clock, entry.writer, origin)
      }
    }
    this.#changed(this.#host.time.now())
    if (origin === "remote" || origin === "repair") {
      const type = reason === "collision" || origin === "repair" ? "incoherent" : "delete"
      this.#changedSinceRead(entry, type, { clock, writer: entry.writer, crc: undefined })
    }
  }

  /** The key is sent, or needs not be. */
  sent(key: Key): void {
    if (this.goneUnsent.size > 0) this.goneUnsent.delete(key)
  }

  /** Forgets what was to be sent. */
  dropUnsent(): void {
    this.outbox.drop()
    this.goneUnsent.clear()
  }

  /**
   * What goes before it was sent is told all the same: others may hold what it made old, although nobody told that here yet.
   * What another member wrote meanwhile in its place is told by that one: under our id it would be a stamp that nobody gave out, and a collision.
   */
  #goneUnsent(record: Record.Record): void {
    const { clock, key, writer } = record
    if (writer === this.#host.self && this.#waits(key, record)) this.goneUnsent.set(key, clock)
  }

  /** Another's clear removed what was not sent yet. Who waits for that to be applied waits until the others have heard of the clear. */
  #cleared(clock: number, origin: Replica.Origin): void {
    if (origin === "local" || this.outbox.size === 0) return
    this.outbox.addClear(clock, this.replica.records.size === 0 && this.goneUnsent.size === 0)
  }

  #collided(key: Key, clock: number, origin: Replica.Origin, writer: MemberId): void {
    this.tally.collisions++
    this.#host.counters.collisions++
    this.changes.publish("incoherent", key, clock, writer, origin)
  }

  #changed(now: number): void {
    this.#changedMillis = now
    const tally = this.tally
    const elapsed = Math.max(0, now - tally.changedAt)
    if (tally.changedAt > 0 && elapsed <= this.#host.callbackWindowMillis) {
      tally.spikes++
      tally.spikeMillis += elapsed
    }
    tally.changedAt = now
  }

  #changedSinceRead(
    previous: Record.Entry,
    type: ChangedSinceRead["type"],
    by: { readonly clock: number; readonly writer: MemberId; readonly crc: number | undefined }
  ): void {
    const lookedUpAt = this.replica.records.lookedUpAt(previous)
    if (!this.changes.sinceRead(previous, lookedUpAt, type, by, this.#host.time.now())) return
    if (type === "incoherent") this.tally.incoherent++
    // A change that did not come through the inbox (repair) is told on the actor's next turn.
    this.inbox.wake()
  }
}

/** Opens a namespace: its actor lives as long as the scope. */
export const open = Effect.fnUntraced(function*(
  host: Host,
  settings: Omit<ConstructorParameters<typeof Namespace>[1], "changes"> & {
    readonly onChange: ((change: ChangedSinceRead) => void) | undefined
  }
): Effect.fn.Return<Namespace, never, Scope.Scope> {
  const { name, onChange, options: { cacheMax } } = settings
  const changes = yield* Changes.make({ ...host, namespace: name, cacheMax, onChange })
  let namespace: Namespace | undefined
  const inbox = yield* Actor.start<Delivery>({
    name: `namespace ${JSON.stringify(settings.name)}`,
    capacity: inboxCapacityDeliveries,
    handle: (deliveries) => namespace?.fold(deliveries),
    nextDue: () => Infinity,
    restarted: () => namespace?.restarted()
  }, host.time.ticks)
  namespace = new Namespace(host, { ...settings, changes }, inbox)
  return namespace
})
