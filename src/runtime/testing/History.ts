/**
 * The history of a namespace in a simulated cluster: every fold and every repair of every member, from which invariants 2,
 * 3, 4 and 9 are decided exactly, as Jepsen's register and set checkers do from theirs. What is kept of a member is what
 * the invariants promise about its past: the greatest stamp that was stored for a key, what is gone, what it received.
 *
 * A member whose namespace starts anew (`clear({ node })`, a broken fold) makes no promises about its past: it begins
 * another life.
 */
import { crc32 } from "node:zlib"
import type { Header } from "../../domain/Datagram.ts"
import type { Key } from "../../domain/Key.ts"
import * as Packed from "../../domain/Packed.ts"
import type { Event, Outcome } from "../../domain/Replica.ts"
import * as Replica from "../../domain/Replica.ts"
import * as Stamp from "../../domain/Stamp.ts"
import type { MemberId } from "../../domain/Stamp.ts"
import type { Namespace } from "../../services/Namespace.ts"
import type { Subject } from "../../services/Witness.ts"
import type { Cluster, Node } from "./Cluster.ts"
import { type Invariant, Violation } from "./Violation.ts"

type Stamps = Map<Key, Stamp.Stamp>

/** What a member promised about its past, from when its namespace last began. */
export interface Life {
  readonly name: string
  /** The greatest stamp under which an entry was stored. */
  readonly stored: Stamps
  /** The greatest stamp that was deleted or collided: it and what is older may not be read. */
  readonly gone: Stamps
  /** The greatest stamp that had expired when it came. Only by this member's clock: others may read it a moment longer. */
  readonly expired: Stamps
  /** The greatest stamp that was received, whatever became of it. */
  readonly received: Stamps
  /** The greatest stamp of its own writes. */
  readonly own: Map<Key, Own>
  /** What other members' flushes said that it applied: nothing older may be read. */
  readonly flushed: Map<Key, Own>
  /** The latest time that expiry was judged by. */
  judgedMillis: number
  floor: number
  /** The greatest of its own clears. */
  ownFloor: number
  /** The newest clear of another that a flush said was applied here. */
  flushedFloor: number
}

interface Own extends Stamp.Stamp {
  readonly deleted: boolean
}

/** A take under way: what its donor knew when it began. */
interface Taking {
  readonly donor: Life
  readonly gone: Stamps
  readonly floor: number
  /** The entries that both held, without those that expire. */
  readonly shared: Stamps
  /** Whether the taker had room all along: what goes for want of it is no conclusion of the take. */
  roomy: boolean
}

/** Whether nothing goes for want of room, by far. */
const hasRoom = ({ bytes, options, size }: Replica.Replica): boolean =>
  2 * size < options.cacheMax && 2 * bytes < options.cacheSizeBytes

/** What two replicas hold alike and for ever. */
const shared = (one: Replica.Replica, other: Replica.Replica): Stamps => {
  const found: Stamps = new Map()
  for (const { clock, expiresAt, key, writer } of Replica.entries(one, one.judgedMillis)) {
    const held = Replica.record(other, key)
    if (expiresAt === 0 && held?.clock === clock && held.writer === writer) found.set(key, { clock, writer })
  }
  return found
}

/** CRC-32 of the value of a write: as it was told, or of the bytes of what was written here. */
const sumOf = ({ crc, value = "" }: Extract<Event, { readonly _tag: "Put" }>): number =>
  crc ?? crc32(Packed.bytes(value))

interface Written {
  readonly crc: number
  readonly expiresAt: number
}

export interface History {
  readonly namespace: string
  readonly lives: Map<string, Life>
  /** What was written under each stamp. */
  readonly written: Map<string, Written>
  /** What is received is not judged. */
  readonly forged: boolean
  /** The life of this member's namespace as it is now. */
  readonly lifeOf: (node: Node, namespace: Namespace) => Life
  /** Throws the first violation that was seen in a fold. */
  readonly verify: () => void
}

export interface Entry extends Stamp.Stamp {
  readonly key: Key
  readonly crc: number
  readonly expiresAt: number
}

/** For messages. */
export const show = (key: Key, stamp: Stamp.Stamp): string => `${JSON.stringify(key)} at ${Stamp.format(stamp)}`

/** Of a write, as a key of `written`. */
export const identity = (key: Key, stamp: Stamp.Stamp): string => `${typeof key}:${key}@${stamp.clock}/${stamp.writer}`

const raise = (stamps: Stamps, key: Key, { clock, writer }: Stamp.Stamp): void => {
  const known = stamps.get(key)
  if (known === undefined || Stamp.compare({ clock, writer }, known) > 0) stamps.set(key, { clock, writer })
}

const raiseOwn = (stamps: Map<Key, Own>, key: Key, own: Own): void => {
  const known = stamps.get(key)
  if (known === undefined || Stamp.compare(own, known) > 0) stamps.set(key, own)
}

export interface Options {
  /** Somebody may tell, as if they were members' writes, what none of them wrote: what is received is not judged. */
  readonly forged?: boolean
  /**
   * Nobody but members that join from now on writes, so that what an unknown one wrote is an invention, too. Otherwise what is
   * seen first of such a one is taken for what it wrote.
   */
  readonly closed?: boolean
}

/** Begins to record. */
export const record = (
  cluster: Cluster,
  namespace: string,
  { closed = false, forged = false }: Options = {}
): History => {
  const lives = new Map<string, Life>()
  const written = new Map<string, Written>()
  const deleted = new Set<string>()
  const counted = new Map<MemberId, Set<string>>()
  const takes = new Map<MemberId, Taking>()
  // Those whose writes were recorded from the first on. Of what others wrote, before the recording began or from outside the
  // harness, what is seen first is taken for what was written.
  const before = new Set(cluster.nodes().map(({ member }) => member.id))
  const writers = new Set<MemberId>()
  let violation: Violation | undefined

  // A fold runs in a member's fiber, whose supervisor would catch what is thrown here.
  const broken = (invariant: Invariant, message: string): void => {
    violation ??= new Violation(invariant, message)
  }

  const lifeOf = (name: string, member: MemberId, incarnation: number): Life => {
    const id = `${member}/${incarnation}`
    let life = lives.get(id)
    if (life === undefined) {
      life = {
        name,
        stored: new Map(),
        gone: new Map(),
        expired: new Map(),
        received: new Map(),
        own: new Map(),
        flushed: new Map(),
        judgedMillis: 0,
        floor: 0,
        ownFloor: 0,
        flushedFloor: 0
      }
      lives.set(id, life)
    }
    return life
  }

  const nodeOf = (member: MemberId): Node | undefined => cluster.nodes().find(({ member: { id } }) => id === member)

  const currentLife = (member: MemberId): { readonly life: Life; readonly namespace: Namespace } | undefined => {
    const node = nodeOf(member)
    const found = node?.member.namespaces().get(namespace)
    if (node === undefined || found === undefined) return undefined
    return { life: lifeOf(node.name, member, found.replica.incarnation), namespace: found }
  }

  /** Invariant 4: what comes from others was written, under that stamp, as it is. */
  const genuine = (life: Life, event: Extract<Event, { readonly _tag: "Put" }>): void => {
    if (event.value === undefined) return
    const known = written.get(identity(event.key, event))
    if (known === undefined && !closed && !writers.has(event.writer)) {
      written.set(identity(event.key, event), { crc: sumOf(event), expiresAt: event.expiresAt })
    } else if (known === undefined) {
      broken(4, `${life.name} received ${show(event.key, event)}, which nobody wrote`)
    } else if (
      known.crc !== event.crc || known.expiresAt !== event.expiresAt || crc32(Packed.bytes(event.value)) !== known.crc
    ) {
      broken(4, `${life.name} received ${show(event.key, event)} with another value or expiry than was written`)
    }
  }

  /** Rule 3: whoever sees two writes of one clock value keeps neither. */
  const collided = (
    life: Life,
    replica: Replica.Replica,
    event: Exclude<Event, { _tag: "Clear" }>,
    outcome: Outcome
  ): void => {
    const held = Replica.record(replica, event.key)
    if (replica.options.collision !== "tie" || outcome !== "superseded" || held?.clock !== event.clock) return
    if ([held.writer, event.writer, Stamp.collisionWriter].every((writer, at, all) => all.indexOf(writer) === at)) {
      broken(2, `${life.name} keeps ${show(event.key, held)} beside ${Stamp.format(event)}: they collided`)
    }
  }

  const wrote = (life: Life, event: Extract<Event, { readonly _tag: "Put" }>): void => {
    const id = identity(event.key, event)
    if (written.has(id)) broken(4, `${life.name} wrote twice under one stamp: ${show(event.key, event)}`)
    written.set(id, { crc: sumOf(event), expiresAt: event.expiresAt })
  }

  /** Invariant 4 of a delete: somebody gave the stamp out, for it or for what it removes; or two wrote under one clock value. */
  const buried = (life: Life, key: Key, stamp: Stamp.Stamp): void => {
    const id = identity(key, stamp)
    if (stamp.writer === Stamp.collisionWriter || deleted.has(id) || written.has(id)) return
    broken(4, `${life.name} received a delete of ${show(key, stamp)}, which nobody wrote`)
  }

  const folded = (member: MemberId, subject: Subject, event: Event, outcome: Outcome): void => {
    if (subject.name !== namespace || outcome === "refused") return
    if (!before.has(member)) writers.add(member)
    const { replica } = subject
    const node = nodeOf(member)
    const life = lifeOf(node?.name ?? member, member, replica.incarnation)
    const own = event.origin === "local" || event.origin === "fill"
    if (event._tag === "Clear") {
      life.floor = Math.max(life.floor, event.clock)
      if (own) life.ownFloor = Math.max(life.ownFloor, event.clock)
      return
    }
    const { key } = event
    const stamp: Stamp.Stamp = { clock: event.clock, writer: event.writer }
    raise(life.received, key, stamp)
    collided(life, replica, event, outcome)
    if (outcome === "collided") raise(life.gone, key, { clock: event.clock, writer: Stamp.collisionWriter })
    if (event._tag === "Del") {
      const held = Replica.record(replica, key)
      // Expired by the clock of another: here it may be read a moment longer.
      const early = held?.kind === "entry" && Stamp.compare(held, stamp) === 0
      if (!early) raise(event.cause === "expiry" ? life.expired : life.gone, key, stamp)
      if (own) {
        deleted.add(identity(key, stamp))
        raiseOwn(life.own, key, { ...stamp, deleted: true })
      } else if (closed && !forged) buried(life, key, stamp)
      return
    }
    if (!own && !forged) genuine(life, event)
    else if (own && outcome === "stored") {
      wrote(life, event)
      // In mode 2 a fill is nobody else's business.
      if (replica.options.mode !== 2 || event.origin === "local") raiseOwn(life.own, key, { ...stamp, deleted: false })
    }
    if (outcome !== "stored") return
    const take = takes.get(member)
    if (take?.roomy === true) take.roomy = hasRoom(replica)
    const held = Replica.record(replica, key)
    if (held?.kind === "entry") {
      inspect(life, held, replica.judgedMillis, broken)
      raise(life.stored, key, stamp)
    } else if (event.expiresAt !== 0 && event.expiresAt <= replica.judgedMillis) raise(life.expired, key, stamp)
  }

  const took = (member: MemberId, subject: Subject, donorId: MemberId, stage: "asked" | "done"): void => {
    // Only in mode 1 does a take transfer all that the donor knows to be gone.
    if (subject.name !== namespace || subject.replica.options.mode !== 1) return
    const donor = currentLife(donorId)
    const taker = currentLife(member)
    if (taker === undefined) return
    if (stage === "asked") {
      takes.delete(member)
      if (donor === undefined || donor.namespace.sizing !== taker.namespace.sizing) return
      takes.set(member, {
        donor: donor.life,
        gone: new Map(donor.life.gone),
        floor: donor.life.floor,
        shared: shared(donor.namespace.replica, taker.namespace.replica),
        roomy: hasRoom(taker.namespace.replica)
      })
      return
    }
    const take = takes.get(member)
    takes.delete(member)
    // The donor's namespace began anew meanwhile: what it answered was not all that it had known.
    if (take === undefined || (donor !== undefined && donor.life !== take.donor)) return
    for (const [key, stamp] of take.gone) raise(taker.life.gone, key, stamp)
    taker.life.floor = Math.max(taker.life.floor, take.floor)
    look(taker.life, taker.namespace, broken)
    if (donor === undefined || !take.roomy) return
    for (const [key, stamp] of shared(donor.namespace.replica, donor.namespace.replica)) {
      const known = take.shared.get(key)
      if (known === undefined || Stamp.compare(known, stamp) !== 0 || stamp.clock <= taker.namespace.replica.floor) {
        continue
      }
      // The taker deleted it meanwhile, and the donor has not heard of that.
      const gone = taker.life.gone.get(key)
      if (gone !== undefined && Stamp.compare(gone, stamp) >= 0) continue
      // Where there is room, nothing goes that both hold.
      if (Replica.record(taker.namespace.replica, key) === undefined) {
        broken(5, `${taker.life.name} dropped ${show(key, stamp)}, which ${take.donor.name} holds, too`)
      }
    }
  }

  /** Invariant 8: no datagram counts twice at a member. */
  const accepted = (member: MemberId, { counter, epoch, sender, unicast }: Header): void => {
    const counters = counted.get(member) ?? new Set()
    counted.set(member, counters)
    const id = `${sender}/${epoch}/${unicast}/${counter}`
    if (counters.has(id)) broken(8, `${nodeOf(member)?.name ?? member} took datagram ${id} twice`)
    counters.add(id)
  }

  cluster.witness({ folded, took, accepted })
  return {
    namespace,
    lives,
    written,
    forged,
    lifeOf: (node, { replica }) => lifeOf(node.name, node.member.id, replica.incarnation),
    verify: () => {
      if (violation !== undefined) throw violation
    }
  }
}

type Report = (invariant: Invariant, message: string) => void

const fail: Report = (invariant, message) => {
  throw new Violation(invariant, message)
}

/** Invariants 2, 3 and 9 of one entry that can be read now. */
const inspect = (life: Life, entry: Entry, judgedMillis: number, report: Report): void => {
  if (judgedMillis < life.judgedMillis) report(2, `${life.name} judges expiry by a clock that ran back`)
  life.judgedMillis = judgedMillis
  const broken = (invariant: Invariant, what: string): void =>
    report(invariant, `${life.name} reads ${show(entry.key, entry)}${what}`)
  if (entry.expiresAt !== 0 && entry.expiresAt <= judgedMillis) broken(2, ", which expired")
  if (entry.clock <= life.floor) broken(2, ", which a clear removed")
  if (entry.clock <= life.flushedFloor) broken(9, ", though a flush said that a clear of it was applied")
  for (const gone of [life.gone.get(entry.key), life.expired.get(entry.key)]) {
    if (gone !== undefined && Stamp.compare(entry, gone) <= 0) {
      broken(2, `, which was gone at ${Stamp.format(gone)}`)
    }
  }
  const stored = life.stored.get(entry.key)
  if (stored !== undefined && Stamp.compare(entry, stored) < 0) broken(3, ` after ${Stamp.format(stored)}`)
  const flushed = life.flushed.get(entry.key)
  if (flushed !== undefined && Stamp.compare(entry, flushed) < (flushed.deleted ? 1 : 0)) {
    broken(9, `, though a flush said that ${Stamp.format(flushed)} was applied`)
  }
}

/** Inspects all that can be read at a member now. Throws `Violation`. */
export const look = (life: Life, { replica }: Pick<Namespace, "replica">, report: Report = fail): void => {
  for (const entry of Replica.entries(replica, replica.judgedMillis)) inspect(life, entry, replica.judgedMillis, report)
}

/** Invariant 4: the bytes of what can be read at a member are those that were written. */
export const intact = ({ forged, written }: History, life: Life, { replica }: Pick<Namespace, "replica">): void => {
  if (forged) return
  for (const entry of Replica.entries(replica, replica.judgedMillis)) {
    const sum = crc32(Packed.bytes(entry.value))
    if (sum !== entry.crc || sum !== (written.get(identity(entry.key, entry))?.crc ?? sum)) {
      throw new Violation(4, `${life.name} holds other bytes for ${show(entry.key, entry)}`)
    }
  }
}

// ---------------------------------------------------------------------------------------------------- waits

/** What a member wrote before it called `flush`, and the members that it waits for. */
export interface Barrier {
  readonly writer: Node
  readonly life: Life
  readonly own: ReadonlyMap<Key, Own>
  readonly floor: number
  readonly awaited: ReadonlyArray<{
    readonly node: Node
    readonly namespace: Namespace
    readonly life: Life
    readonly metTicks: number
  }>
}

const namespaceOf = (history: History, node: Node): Namespace | undefined =>
  node.member.namespaces().get(history.namespace)

/** Notes what a flush that is called now must wait for. */
export const barrier = (history: History, cluster: Cluster, writer: Node): Barrier | undefined => {
  const namespace = namespaceOf(history, writer)
  if (namespace === undefined) return undefined
  const life = history.lifeOf(writer, namespace)
  return {
    writer,
    life,
    own: new Map(life.own),
    floor: life.ownFloor,
    awaited: cluster.nodes().flatMap((node) => {
      const theirs = namespaceOf(history, node)
      // One that transfers the namespace still is a new member for it.
      const metTicks = writer.member.metTicks(node.member.id)
      if (metTicks === undefined || theirs?.caughtUp !== true) return []
      return [{ node, namespace: theirs, life: history.lifeOf(node, theirs), metTicks }]
    })
  }
}

const isEmptyUpTo = (replica: Replica.Replica, clock: number): boolean => {
  for (const entry of Replica.entries(replica, replica.judgedMillis)) if (entry.clock <= clock) return false
  return true
}

/** Invariant 9: the flush, or a write with `ack: "all"`, succeeded, so every member that it waited for has applied all that was written before it. */
export const passed = (history: History, cluster: Cluster, barrier: Barrier, left: ReadonlyArray<MemberId>): void => {
  const writer = namespaceOf(history, barrier.writer)
  if (writer === undefined || history.lifeOf(barrier.writer, writer) !== barrier.life) return
  // While it closes, its members are not told any more.
  if (barrier.writer.member.closed()) return
  for (const { life, metTicks, namespace, node } of barrier.awaited) {
    if (!cluster.nodes().includes(node) || left.includes(node.member.id)) continue
    // One that was removed is not awaited any more, also when it was met again meanwhile; whom a flush says so of is in `left`.
    if (barrier.writer.member.metTicks(node.member.id) !== metTicks) continue
    if (!namespace.caughtUp || history.lifeOf(node, namespace) !== life) continue
    const { replica } = namespace
    const claims = `${barrier.writer.name} flushed, but ${node.name} has not applied`
    // In modes 0 and 2 nothing is transferred: who comes, or in mode 2 missed something, begins empty, and hears of the floor later.
    const cleared = namespace.options.mode === 1 ? barrier.floor <= replica.floor : isEmptyUpTo(replica, barrier.floor)
    if (!cleared) throw new Violation(9, `${claims} a clear`)
    life.flushedFloor = Math.max(life.flushedFloor, barrier.floor)
    for (const [key, own] of barrier.own) {
      raiseOwn(life.flushed, key, own)
      // What the writer itself gave up meanwhile, by capacity or for something newer, it need not have told.
      const kept = Replica.record(writer.replica, key)
      if (namespace.options.mode !== 1 || kept === undefined || Stamp.compare(kept, own) !== 0) continue
      const held = Replica.record(replica, key)
      // With members of other sizes a repair compares what both hold, and nothing else.
      if (held === undefined && writer.sizing !== namespace.sizing) continue
      if (held !== undefined && Stamp.compare(held, own) >= 0) continue
      if (own.clock <= replica.floor || own.clock <= replica.forget) continue
      throw new Violation(9, `${claims} ${show(key, own)}`)
    }
    look(life, namespace)
  }
}
