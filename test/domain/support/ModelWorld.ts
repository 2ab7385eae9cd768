/**
 * A cluster of the model: real namespaces with their replicas, fills and outboxes, real repairs, and no network. A run is a
 * list of actions; an action whose subject is not there does nothing, so that any part of a list is a run as well. After
 * each action every member is looked at; `settle` ends a run and looks at all together.
 */
import * as Digest from "../../../src/domain/Digest.ts"
import * as HybridClock from "../../../src/domain/HybridClock.ts"
import * as Keys from "../../../src/domain/Key.ts"
import * as Packed from "../../../src/domain/Packed.ts"
import { hashOf } from "../../../src/domain/Record.ts"
import * as Replica from "../../../src/domain/Replica.ts"
import * as Stamp from "../../../src/domain/Stamp.ts"
import { type Birth, raise, type Stamps } from "./ModelKnowledge.ts"
import { type Fill, Member, type Sent } from "./ModelMember.ts"
import { Take } from "./ModelTake.ts"
import { t0 } from "./Replicas.ts"

export interface Setup {
  readonly mode: Replica.Mode
  /** One for each member. */
  readonly options: ReadonlyArray<Replica.Options>
  readonly skews: ReadonlyArray<number>
  readonly keys: number
}

/** `id` names what an action makes: a datagram, a fill, a take. */
export type Action =
  | { readonly do: "set"; readonly at: number; readonly key: number; readonly ttl: number; readonly large: boolean }
  | { readonly do: "delete" | "read"; readonly at: number; readonly key: number }
  | {
    readonly do: "clear" | "sweep" | "reset" | "replace" | "restart" | "drop" | "overflow"
    readonly at: number
  }
  | { readonly do: "send"; readonly at: number; readonly id: number }
  | { readonly do: "deliver"; readonly id: number; readonly to: number }
  | { readonly do: "begin fill"; readonly at: number; readonly key: number; readonly id: number }
  | { readonly do: "end fill"; readonly id: number; readonly ttl: number; readonly large: boolean }
  | { readonly do: "take"; readonly at: number; readonly from: number; readonly id: number }
  | { readonly do: "proceed"; readonly id: number; readonly pick: number }
  | { readonly do: "abandon"; readonly id: number }
  | { readonly do: "wait"; readonly millis: number }
  | { readonly do: "clock"; readonly at: number; readonly skew: number }
  | { readonly do: "settle"; readonly everything: boolean }

/** Within this members keep their own clocks. */
const clockKeepMillis = 125

/** Two keys of one bucket, and others of their own. */
const names: ReadonlyArray<string> = (() => {
  const bucketOf = (name: string): number => Digest.bucketOf(hashOf(name))
  const all = Array.from({ length: 2_000 }, (_, index) => `k${index}`)
  const same = all.filter((name) => bucketOf(name) === bucketOf("k0")).slice(0, 2)
  return [...same, ...all.filter((name) => bucketOf(name) !== bucketOf("k0")).slice(0, 2)]
})()

const encode = (value: number, large: boolean): Uint8Array => {
  const bytes = new Uint8Array(large ? 24 : 4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

const decode = (bytes: Uint8Array): number => (bytes[0] << 24) | (bytes[1] << 16) | (bytes[2] << 8) | bytes[3]

export class World {
  readonly setup: Setup
  readonly keys: ReadonlyArray<string>
  readonly members: Array<Member> = []
  readonly sent = new Map<number, { readonly event: Sent; readonly from: Member; readonly reached: Set<Member> }>()
  readonly fills = new Map<number, { readonly member: Member; readonly fill: Fill }>()
  readonly takes = new Map<number, Take>()
  /** How often what happened. */
  readonly counts: Record<string, number>
  readonly time = { now: t0 }
  readonly #births: Array<Birth> = [{ key: -1, clock: 0, writer: "", step: 0, fill: false }]
  /** Stamps that were given out, `clock/writer`, and in which step. */
  readonly #stamps = new Map<string, number>()
  /** The steps of clears, by clock. */
  readonly #clears = new Map<number, number>()
  /** The greatest of sets and deletes, by key. */
  readonly #newest: Stamps = []
  /** Those of values. */
  readonly #values = new Set<string>()
  readonly #buckets: ReadonlyArray<number>
  #generation = 0
  #step = 0
  /** Somebody began anew, or forgot what was to be sent. */
  #anew = false
  /** All clocks agree as well as members keep their own. */
  #alike: boolean

  constructor(setup: Setup, counts: Record<string, number>) {
    this.setup = setup
    this.counts = counts
    this.keys = names.slice(0, setup.keys)
    this.#alike = setup.skews.every((skew) => Math.abs(skew) <= clockKeepMillis)
    this.#buckets = [...new Set(this.keys.map((key) => Digest.bucketOf(hashOf(key)))), 7]
    for (let place = 0; place < setup.options.length; place++) this.members.push(this.#make(place, 0))
    for (const { namespace } of this.members) namespace.caughtUp = true
  }

  #make(place: number, generation: number): Member {
    const { options, skews } = this.setup
    const isValue = ({ clock, writer }: Stamp.Stamp): boolean => this.#values.has(`${clock}/${writer}`)
    const overflowed = (): void => {
      this.count("outbox overflowed")
      this.#anew = true
    }
    return new Member(place, generation, this.keys, options[place], skews[place], this.time, isValue, overflowed)
  }

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  /** Performs an action; what is wrong afterwards. */
  perform(action: Action): string | undefined {
    this.#step++
    this.count(action.do)
    return this.#perform(action) ?? this.look()
  }

  #perform(action: Action): string | undefined {
    switch (action.do) {
      case "wait":
        this.time.now += action.millis
        return undefined
      case "deliver":
        return this.#deliver(action.id, action.to)
      case "end fill":
        return this.#endFill(action.id, action.ttl, action.large)
      case "proceed":
        return this.#proceed(action.id, action.pick)
      case "abandon":
        return this.#abandon(action.id)
      case "settle":
        return this.#settle(action.everything)
    }
    const member = this.members[action.at]
    if (member === undefined) return undefined
    const { namespace } = member
    switch (action.do) {
      case "set": {
        if (!this.#fits(member, action.key, action.large)) return undefined
        const value = this.#births.length
        // The number is the place in the list of births.
        const bytes = encode(value, action.large)
        const clock = namespace.set(this.keys[action.key], bytes, action.ttl, member.now())
        raise(this.#newest, action.key, { clock, writer: member.id })
        return this.#born(action.key, clock, member, false)
      }
      case "delete":
        namespace.delete(this.keys[action.key])
        raise(this.#newest, action.key, { clock: namespace.replica.clock.last, writer: member.id })
        return this.#issued(namespace.replica.clock.last, member)
      case "clear": {
        const clock = namespace.clear()
        this.#clears.set(clock, this.#step)
        return this.#issued(clock, member)
      }
      case "read":
        const entry = Replica.peek(namespace.replica, this.keys[action.key], member.now())
        if (entry !== undefined) Replica.use(namespace.replica, entry.slot)
        return undefined
      case "sweep":
        Replica.sweep(namespace.replica, member.now())
        return undefined
      case "clock":
        member.skew = action.skew
        this.#alike = false
        return undefined
      case "drop":
        namespace.dropAll()
        member.knowledge.dropped = this.#step
        return undefined
      case "overflow":
        namespace.dropUnsent()
        this.#anew = true
        return undefined
      case "reset":
        this.#endTakesOf(member)
        this.#anew = true
        member.startAnew()
        namespace.caughtUp = this.setup.mode !== 1
        return undefined
      case "restart": {
        // As the Housekeeper does when its clock turns out to run ahead of everybody's: also the floor is given up.
        const { clock } = namespace.replica
        if (Stamp.toMillis(clock.last) - member.now() <= clock.clockAheadMillisMax) return undefined
        this.#endTakesOf(member)
        this.#anew = true
        this.count("restart of a clock ahead")
        HybridClock.restart(clock)
        namespace.replica.floor = 0
        member.startAnew()
        member.knowledge.floor = 0
        namespace.caughtUp = this.setup.mode !== 1
        return undefined
      }
      case "replace": {
        this.#endTakesOf(member)
        this.#anew = true
        for (const [id, take] of this.takes) if (take.donor === member) this.#abandon(id)
        for (const [id, fill] of this.fills) if (fill.member === member) this.fills.delete(id)
        const fresh = this.#make(action.at, ++this.#generation)
        fresh.namespace.caughtUp = this.setup.mode !== 1
        this.members[action.at] = fresh
        return undefined
      }
      case "send":
        return this.#send(member, action.id)
      case "begin fill": {
        const key = this.keys[action.key]
        // `getOrSet` computes what is not there, and once at a time.
        if (Replica.peek(namespace.replica, key, member.now()) !== undefined) return undefined
        for (const fill of this.fills.values()) {
          if (fill.member === member && fill.fill.key === action.key) return undefined
        }
        const filling = namespace.beginFill(key)
        const fill: Fill = { key: action.key, value: this.#births.length, filling }
        this.fills.set(action.id, { member, fill })
        return this.#born(action.key, filling.clock, member, true)
      }
      case "take": {
        const donor = this.members[action.from]
        if (donor === undefined || donor === member || this.setup.mode === 2 || !donor.namespace.caughtUp) {
          return undefined
        }
        this.#take(member, donor, action.id)
        return undefined
      }
    }
    return undefined
  }

  // ------------------------------------------------------------------------------------------------ writes

  #issued(clock: number, member: Member): string | undefined {
    const stamp = `${clock}/${member.id}`
    if (this.#stamps.has(stamp)) return `a stamp was given out twice: ${stamp}`
    this.#stamps.set(stamp, this.#step)
    return undefined
  }

  /** In which step the stamp of an event was given out. Whom a clear reached tells it, too, if something unsent went with it. */
  #stepOf({ _tag, clock, writer }: Replica.Event): number | undefined {
    return this.#stamps.get(`${clock}/${writer}`) ?? (_tag === "Clear" ? this.#clears.get(clock) : undefined)
  }

  #born(key: number, clock: number, member: Member, fill: boolean): string | undefined {
    this.#births.push({ key, clock, writer: member.id, step: this.#step, fill })
    this.#values.add(`${clock}/${member.id}`)
    return this.#issued(clock, member)
  }

  /** What is larger than the whole cache is refused before it gets to the namespace. */
  #fits(member: Member, key: number, large: boolean): boolean {
    return Keys.bytes(this.keys[key]) + encode(0, large).length <= member.namespace.options.cacheSizeBytes
  }

  #send(member: Member, id: number): string | undefined {
    const event = member.next()
    if (event === undefined) return undefined
    if (event === "later") {
      this.count("sent later")
      return undefined
    }
    this.count(event._tag)
    this.sent.set(id, { event, from: member, reached: new Set([member]) })
    if (event.writer === Stamp.collisionWriter || this.#stepOf(event) !== undefined) return undefined
    return `${member.name} sent ${event._tag} under a stamp that nobody gave out: ${Stamp.format(event)}`
  }

  #deliver(id: number, to: number): string | undefined {
    const sent = this.sent.get(id)
    const member = this.members[to]
    if (sent === undefined || member === undefined || sent.from === member) return undefined
    if (sent.reached.has(member)) this.count("delivered again")
    const { event } = sent
    const { forget } = member.namespace.replica
    const outcome = member.namespace.foldEvent(event, member.now())
    this.count(`folded: ${outcome}`)
    if (outcome !== "refused") sent.reached.add(member)
    if (this.setup.mode === 2 && this.#alike && outcome !== "refused") {
      const { written } = member.knowledge
      const step = this.#stepOf(event) ?? 0
      for (const [index, key] of this.keys.entries()) {
        if (event._tag === "Clear" || event.key === key) written[index] = Math.max(written[index] ?? 0, step)
      }
    }
    if (event.clock <= forget) this.count("delivered beyond the forget line")
    return undefined
  }

  #endFill(id: number, ttl: number, large: boolean): string | undefined {
    const known = this.fills.get(id)
    if (known === undefined) return undefined
    this.fills.delete(id)
    const { fill: { filling, key, value }, member } = known
    const { namespace } = member
    if (!this.#fits(member, key, large)) {
      namespace.endFill(this.keys[key], filling)
      return undefined
    }
    const stored = namespace.fill(this.keys[key], filling, encode(value, large), ttl)
    namespace.endFill(this.keys[key], filling)
    this.count(stored ? "fill stored" : filling.touched ? "fill overtaken" : "fill superseded")
    return undefined
  }

  // ------------------------------------------------------------------------------------------------ takes

  #take(taker: Member, donor: Member, id: number): Take {
    const kind = taker.namespace.caughtUp ? "repair" : "join"
    for (const other of this.takes.values()) {
      if (other.taker === taker) {
        this.count(other.donor === donor ? "second take from the donor" : "several takes at once")
      }
      if (other.donor === taker || other.taker === donor) this.count("taker and donor at once")
    }
    // What was missed is not modelled: any take may be one that makes good for it.
    const owed = id % 3 === 1
    const take = new Take(taker, donor, kind, owed, this.#buckets, this.#step)
    this.count(`${kind}${take.sameSizes ? "" : ` of other sizes${owed && kind === "repair" ? ", conclusive" : ""}`}`)
    this.takes.set(id, take)
    return take
  }

  #abandon(id: number): undefined {
    this.takes.get(id)?.end("unfinished")
    this.takes.delete(id)
  }

  /** A donor goes on answering once it has caught up again; a taker begins anew. */
  #endTakesOf(member: Member): void {
    for (const [id, take] of this.takes) if (take.taker === member) this.#abandon(id)
  }

  #proceed(id: number, pick: number): string | undefined {
    const take = this.takes.get(id)
    if (take === undefined) return undefined
    const ending = take.proceed(pick)
    if (ending === undefined) return undefined
    this.takes.delete(id)
    this.count(`${take.kind} ${ending}`)
    if (take.copies > 0) this.count(`${take.kind} brought copies`)
    if (ending !== "done") return undefined
    if (take.kind === "join") take.taker.namespace.caughtUp = true
    const { knowledge } = take.taker
    if (!take.binds) return undefined
    if (this.setup.mode === 0) knowledge.learnPartly(take.knew, take.step)
    else knowledge.learn(take.knew)
    return undefined
  }

  // ------------------------------------------------------------------------------------------------ looking

  /** What is wrong at a member now, if anything. */
  look(): string | undefined {
    for (
      const { knowledge, name, namespace, now } of this.members.map((member) => ({
        knowledge: member.knowledge,
        name: member.name,
        namespace: member.namespace,
        now: member.now()
      }))
    ) {
      const { replica } = namespace
      for (let key = 0; key < this.keys.length; key++) {
        const entry = Replica.peek(replica, this.keys[key], now)
        if (entry === undefined) {
          knowledge.absent(key)
          continue
        }
        const wrong = knowledge.read(key, entry, this.#births[decode(Packed.bytes(entry.value))])
        if (wrong !== undefined) return `${name} reads ${this.keys[key]} at ${Stamp.format(entry)}: ${wrong}`
      }
      const { cacheMax, cacheSizeBytes, tombstonesMax } = replica.options
      if (replica.size > cacheMax || replica.bytes > cacheSizeBytes || replica.tombstones > tombstonesMax) {
        return `invariant 6: ${name} exceeds a bound`
      }
    }
    return undefined
  }

  // ------------------------------------------------------------------------------------------------ the end

  /** Writes stop and faults heal: what is sent arrives, everybody repairs with everybody. */
  #settle(everything: boolean): string | undefined {
    for (const id of this.takes.keys()) this.#abandon(id)
    for (const [place, member] of this.members.entries()) member.skew = Math.sign(this.setup.skews[place]) * 50
    // Clocks that were ahead are not any more; nothing is too far ahead to be sent.
    this.time.now += 10_000
    for (const member of this.members) {
      while (true) {
        const id = -1 - this.sent.size
        const left = member.namespace.outbox.size
        const wrong = this.#send(member, id)
        if (wrong !== undefined) return wrong
        if (member.namespace.outbox.size === left) break
      }
    }
    for (const [id, { reached }] of this.sent) {
      for (let to = 0; to < this.members.length; to++) {
        if (!everything || reached.has(this.members[to])) continue
        const wrong = this.#deliver(id, to) ?? this.look()
        if (wrong !== undefined) return wrong
      }
    }
    if (this.setup.mode === 2) return this.#outdated(everything)
    if (this.members.every(({ namespace }) => !namespace.caughtUp)) this.members[0].namespace.caughtUp = true
    for (let round = 0; round < 8; round++) {
      // All are within one quantum, as after a moment of waiting.
      this.time.now = Math.ceil((this.time.now + 250) / Replica.quantumMillis) * Replica.quantumMillis + 500
      for (const taker of this.members) {
        for (const donor of this.members) {
          if (taker === donor || !donor.namespace.caughtUp) continue
          const wrong = this.#whole(taker, donor)
          if (wrong !== undefined) return wrong
        }
      }
      if (this.setup.mode === 1 && this.#states().every((state, _, all) => state === all[0])) break
    }
    return this.setup.mode === 1 ? this.#settled(everything) : this.#outdated(everything)
  }

  /** Modes 0 and 2: when everything arrived everywhere, nobody holds what is older than anybody's write. */
  #outdated(everything: boolean): string | undefined {
    if (!everything || this.#anew) return undefined
    for (const member of this.members) {
      for (const [index, key] of this.keys.entries()) {
        const entry = Replica.peek(member.namespace.replica, key, member.now())
        const newest = this.#newest[index]
        if (entry !== undefined && newest !== undefined && Stamp.compare(entry, newest) < 0) {
          return `invariant 5: ${member.name} reads ${key} at ${Stamp.format(entry)}, not ${Stamp.format(newest)}`
        }
      }
    }
    return undefined
  }

  /** The greatest stamps that anybody folded. */
  #greatest(): Stamps {
    const greatest: Stamps = []
    for (const { knowledge } of this.members) {
      for (const [key, stamp] of knowledge.seen.entries()) if (stamp !== undefined) raise(greatest, key, stamp)
    }
    return greatest
  }

  #whole(taker: Member, donor: Member): string | undefined {
    this.#take(taker, donor, 0)
    while (this.takes.has(0)) {
      const wrong = this.#proceed(0, 0) ?? this.look()
      if (wrong !== undefined) return wrong
    }
    return undefined
  }

  #entry(
    member: Member,
    key: string
  ): { readonly clock: number; readonly writer: string; readonly crc: number } | undefined {
    const entry = Replica.peek(member.namespace.replica, key, member.now())
    // What expires about now is there at one and gone at another.
    return entry === undefined || (entry.expiresAt !== 0 && entry.expiresAt < this.time.now + 500) ? undefined : entry
  }

  #states(): ReadonlyArray<string> {
    return this.members.map((member) =>
      this.keys.map((key) => {
        const entry = this.#entry(member, key)
        return entry === undefined ? "-" : `${entry.clock}/${entry.writer}/${entry.crc}`
      }).join(" ")
    )
  }

  #settled(everything: boolean): string | undefined {
    const sizings = new Set(this.members.map(({ namespace }) => namespace.sizing))
    const greatest = this.#greatest()
    if (sizings.size === 1) {
      const states = this.#states()
      if (states.some((state) => state !== states[0])) return `invariant 1: not the same: ${states.join(" | ")}`
    }
    for (const [index, key] of this.keys.entries()) {
      const found = this.members.map((member) => this.#entry(member, key)).filter((entry) => entry !== undefined)
      // Members of other sizes may have forgotten what is newer.
      const newest = sizings.size === 1
        ? greatest[index]
        : found.reduce((a, b) => Stamp.compare(a, b) < 0 ? b : a, found[0])
      for (const entry of found) {
        if (newest !== undefined && Stamp.compare(entry, newest) < 0) {
          return `invariant 5: ${key} is ${Stamp.format(entry)}, not ${Stamp.format(newest)}`
        }
      }
      const wrong = everything && !this.#anew ? this.#lost(index, greatest[index], found.length) : undefined
      if (wrong !== undefined) return wrong
    }
    return undefined
  }

  /** Where nothing had to be forgotten, nothing may be missing. */
  #lost(key: number, newest: Stamp.Stamp | undefined, found: number): string | undefined {
    if (newest === undefined || found > 0) return undefined
    const replicas = this.members.map(({ namespace }) => namespace.replica)
    if (replicas.some(({ floor, forget }) => forget > 0 || floor >= newest.clock)) return undefined
    const written = this.#births.filter((birth) => birth.key === key && birth.clock === newest.clock)
    if (written.length !== 1 || written[0].writer !== newest.writer) return undefined
    const records = replicas.map(({ records }) => records.get(this.keys[key]))
    if (records.some((record) => record?.kind === "tombstone")) return undefined
    return `${this.keys[key]} is lost: ${Stamp.format(newest)} was written`
  }
}
