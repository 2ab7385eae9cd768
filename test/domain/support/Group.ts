/**
 * A few members without a network: real replicas, real repairs, and a test that decides what is delivered, when, how often,
 * or never. Looks after every step that nothing comes back and no key goes back.
 */
import * as Digest from "../../../src/domain/Digest.ts"
import type { Key } from "../../../src/domain/Key.ts"
import * as Repair from "../../../src/domain/Repair.ts"
import * as Replica from "../../../src/domain/Replica.ts"
import * as Stamp from "../../../src/domain/Stamp.ts"
import { make, member, type Subject, t0 } from "./Replicas.ts"

/** An event on its way to the others. */
export interface Sent {
  readonly event: Replica.Event
  readonly from: number
}

/** A take under way: what comes next is a digest, a listing, copies, or the end. */
export interface Take {
  readonly taker: number
  readonly donor: number
  readonly repair: Repair.Repair
  readonly buckets: Array<number>
  wanted: { readonly bucket: number; readonly items: ReadonlyArray<Repair.Item> } | undefined
  begun: boolean
  /** What the donor knew to be gone when it told its digest. */
  gone: ReadonlyMap<Key, Stamp.Stamp>
}

/** Keeps the greater stamp of a key. */
const raise = (stamps: Map<Key, Stamp.Stamp>, key: Key, stamp: Stamp.Stamp): void => {
  const known = stamps.get(key)
  if (known === undefined || Stamp.compare(stamp, known) > 0) stamps.set(key, stamp)
}

export class Group {
  readonly subjects: ReadonlyArray<Subject>
  readonly keys: ReadonlyArray<Key>
  readonly sent: Array<Sent> = []
  readonly takes: Array<Take> = []
  /** How far each member's clock is off. */
  readonly skews: ReadonlyArray<number>
  /** The greatest stamp that any member folded, by key. */
  readonly greatest = new Map<Key, Stamp.Stamp>()
  now = t0
  /** By member: what was read last of a key, up to which stamp that was gone, and up to which the key is known to be
   * deleted or collided, here or at a donor of a repair. */
  readonly #read: ReadonlyArray<Map<Key, Stamp.Stamp>>
  readonly #gone: ReadonlyArray<Map<Key, Stamp.Stamp>>
  readonly #buried: ReadonlyArray<Map<Key, Stamp.Stamp>>
  #value = 0

  constructor(
    members: number,
    keys: ReadonlyArray<Key>,
    options: Partial<Replica.Options>,
    skews: ReadonlyArray<number> = []
  ) {
    this.keys = keys
    this.subjects = Array.from({ length: members }, () => make(options))
    this.#read = this.subjects.map(() => new Map())
    this.#gone = this.subjects.map(() => new Map())
    this.#buried = this.subjects.map(() => new Map())
    this.skews = skews
  }

  nowOf(index: number): number {
    return this.now + (this.skews[index] ?? 0)
  }

  #fold(index: number, event: Replica.Event): Replica.Outcome {
    const outcome = Replica.apply(this.subjects[index].replica, event, this.nowOf(index))
    if (outcome !== "refused" && event._tag !== "Clear") raise(this.greatest, event.key, event)
    return outcome
  }

  #local(index: number, event: (clock: number) => Replica.Event): void {
    const clock = Replica.stamp(this.subjects[index].replica, this.nowOf(index))
    const made = event(clock)
    this.#fold(index, made)
    this.sent.push({ event: { ...made, origin: "remote" }, from: index })
  }

  set(index: number, key: Key, ttlMillis = 0): void {
    const value = Uint8Array.of(++this.#value & 255)
    const expiresAt = ttlMillis === 0 ? 0 : this.nowOf(index) + ttlMillis
    this.#local(index, (clock) => ({
      _tag: "Put",
      key,
      clock,
      writer: this.id(index),
      expiresAt,
      crc: this.#value,
      value,
      origin: "local"
    }))
  }

  delete(index: number, key: Key): void {
    this.#local(index, (clock) => ({ _tag: "Del", key, clock, writer: this.id(index), origin: "local" }))
  }

  clear(index: number): void {
    this.#local(index, (clock) => ({ _tag: "Clear", clock, writer: this.id(index), origin: "local" }))
  }

  id(index: number): Stamp.MemberId {
    return member("abcdef"[index])
  }

  /** Delivers what was sent to a member: possibly again, possibly long after. */
  deliver(sent: Sent, to: number): void {
    if (sent.from !== to) this.#fold(to, sent.event)
  }

  begin(taker: number, donor: number): Take {
    const repair = Repair.start(this.subjects[taker].replica, "repair")
    const take: Take = { taker, donor, repair, buckets: [], wanted: undefined, begun: false, gone: new Map() }
    this.takes.push(take)
    return take
  }

  /** The next exchange of a take. True when it has ended. */
  proceed(take: Take): boolean {
    const donor = this.subjects[take.donor].replica
    const { repair } = take
    const [theirs, ours] = [this.nowOf(take.donor), this.nowOf(take.taker)]
    if (!take.begun) {
      const next = Repair.onDigest(repair, Repair.digest(donor, theirs), ours)
      if (next._tag === "Retry") return this.abandon(take)
      take.begun = true
      take.gone = new Map(this.#buried[take.donor])
      take.buckets.push(...next.buckets)
      return false
    }
    if (take.wanted !== undefined) {
      const { items } = take.wanted
      take.wanted = undefined
      const copies = Repair.copies(donor, items.map(({ key }) => key), theirs)
      for (const copy of copies) raise(this.greatest, copy.key, copy)
      Repair.onCopies(repair, copies, ours)
      return false
    }
    const bucket = take.buckets.pop()
    if (bucket === undefined) {
      this.takes.splice(this.takes.indexOf(take), 1)
      // Who was repaired by one that knew what is gone knows it as well.
      if (Repair.finish(repair, ours)) {
        for (const [key, stamp] of take.gone) raise(this.#buried[take.taker], key, stamp)
      }
      return true
    }
    const items = Repair.onListing(repair, Repair.listing(donor, bucket, theirs), ours)
    if (items.length > 0) take.wanted = { bucket, items }
    return false
  }

  abandon(take: Take): true {
    this.takes.splice(this.takes.indexOf(take), 1)
    Repair.abandon(take.repair)
    return true
  }

  /** Starts a member anew, empty, as after a clear at this member: for what was before it is a new one. */
  reset(index: number): void {
    // It is no donor either until it has caught up.
    for (const take of this.takes.filter(({ donor, taker }) => taker === index || donor === index)) this.abandon(take)
    Replica.reset(this.subjects[index].replica)
    this.#read[index].clear()
    this.#gone[index].clear()
    this.#buried[index].clear()
  }

  /** What is wrong now, if anything: a key that came back, or went back. */
  look(): string | undefined {
    for (const [index, { replica }] of this.subjects.entries()) {
      for (const key of this.keys) {
        const entry = Replica.peek(replica, key, this.nowOf(index))
        const record = Replica.record(replica, key)
        const last = this.#read[index].get(key)
        if (entry === undefined) {
          if (last !== undefined) raise(this.#gone[index], key, last)
          // What expired is gone by each reader's own clock only.
          if (record?.kind === "tombstone" && (record.cause === "delete" || record.cause === "collision")) {
            raise(this.#buried[index], key, { clock: record.clock, writer: record.writer })
          }
          continue
        }
        const reads = `member ${index} reads ${key} at ${Stamp.format(entry)}`
        if (entry.clock <= replica.floor) return `${reads}, from before a clear`
        for (const stamps of [this.#gone[index], this.#buried[index]]) {
          const gone = stamps.get(key)
          if (gone !== undefined && Stamp.compare(entry, gone) <= 0) return `${reads}, gone at ${Stamp.format(gone)}`
        }
        if (last !== undefined && Stamp.compare(entry, last) < 0) return `${reads} after ${Stamp.format(last)}`
        this.#read[index].set(key, { clock: entry.clock, writer: entry.writer })
      }
    }
    return undefined
  }

  /** What each holds, but for what expires about now: clocks differ. */
  #states(): ReadonlyArray<string> {
    return this.subjects.map(({ replica }, index) =>
      this.keys.map((key) => {
        const entry = Replica.peek(replica, key, this.nowOf(index))
        if (entry === undefined || (entry.expiresAt !== 0 && entry.expiresAt < this.now + 500)) return "-"
        return `${entry.clock}/${entry.writer}/${entry.crc}`
      }).join(" ")
    )
  }

  /** Repairs everybody with everybody until nothing differs any more; what is wrong then, if anything. */
  heal(): string | undefined {
    while (this.takes.length > 0) this.abandon(this.takes[0])
    for (let round = 0; round < 6; round++) {
      // All are within one quantum, as after a moment of waiting.
      this.now = Math.ceil((this.now + 250) / Replica.quantumMillis) * Replica.quantumMillis + 500
      for (let taker = 0; taker < this.subjects.length; taker++) {
        for (let donor = 0; donor < this.subjects.length; donor++) {
          if (taker === donor) continue
          const take = this.begin(taker, donor)
          while (!this.proceed(take));
          const wrong = this.look()
          if (wrong !== undefined) return wrong
        }
      }
      const digests = this.subjects.map(({ replica }) => Digest.hash(replica.digest))
      if (digests.every((digest) => digest === digests[0])) break
    }
    const states = this.#states()
    if (states.some((state) => state !== states[0])) return `not the same: ${states.join(" | ")}`
    return undefined
  }

  /** Where nothing had to be forgotten, nothing may be missing: all hold what one would who folded everything. */
  lost(options: Partial<Replica.Options>): string | undefined {
    const reference = make(options)
    const now = Math.max(...this.subjects.map((_, index) => this.nowOf(index)))
    for (const { event } of this.sent) Replica.apply(reference.replica, event, now)
    for (const key of this.keys) {
      const expected = Replica.peek(reference.replica, key, now)
      const entry = Replica.peek(this.subjects[0].replica, key, this.nowOf(0))
      if (expected === undefined || (expected.expiresAt !== 0 && expected.expiresAt < this.now + 1_000)) continue
      if (entry === undefined || Stamp.compare(entry, expected) !== 0) return `${key} is not there`
    }
    return undefined
  }

  /** Invariant 5, after healing: what is there is the newest that anybody folded. */
  outdated(): string | undefined {
    for (const { replica } of this.subjects) {
      for (const key of this.keys) {
        const entry = Replica.peek(replica, key, this.now)
        const newest = this.greatest.get(key)
        if (entry !== undefined && newest !== undefined && Stamp.compare(entry, newest) < 0) {
          return `${key} is ${Stamp.format(entry)}, but ${Stamp.format(newest)} was folded`
        }
      }
    }
    return undefined
  }
}
