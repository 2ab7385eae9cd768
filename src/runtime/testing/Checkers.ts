/**
 * Checkers of the invariants (section 12 of the design), by number. An `Observer` looks at a simulated cluster again and
 * again and remembers what it saw of every member; each checker throws `Violation` when what it sees breaks its invariant.
 *
 * @since 0.1.0
 */
import * as Datagram from "../../domain/Datagram.ts"
import type { Key } from "../../domain/Key.ts"
import * as Replica from "../../domain/Replica.ts"
import * as Stamp from "../../domain/Stamp.ts"
import type { Namespace } from "../../services/Namespace.ts"
import type { Cluster, Node } from "./Cluster.ts"

/** An invariant was broken. */
export class Violation extends Error {
  override readonly name = "Violation"
  readonly invariant: number

  constructor(invariant: number, message: string) {
    super(`Invariant ${invariant} (${names[invariant]}): ${message}`)
    this.invariant = invariant
  }
}

const names: { readonly [number: number]: string } = {
  1: "convergence",
  2: "no resurrection",
  3: "monotonic",
  4: "no invention",
  5: "newest wins",
  6: "bounds",
  7: "quiet",
  8: "freshness",
  9: "truthful waits",
  10: "isolation",
  11: "determinism"
}

interface Seen {
  /** The greatest stamp read, by key. */
  readonly read: Map<Key, Stamp.Stamp>
  /** The greatest stamp known to be gone, by key. */
  readonly gone: Map<Key, Stamp.Stamp>
}

const identity = (key: Key, stamp: Stamp.Stamp): string => `${typeof key}:${key}@${stamp.clock}/${stamp.writer}`
const show = (key: Key, stamp: Stamp.Stamp): string => `${JSON.stringify(key)} at ${Stamp.format(stamp)}`

/** What was seen of a cluster so far. */
export interface Observer {
  readonly cluster: Cluster
  readonly namespace: string
  /** By member and incarnation: a restarted process is a new member, and so is one whose namespace started anew. */
  readonly seen: Map<string, Seen>
  /** The checksum of the value under each stamp, as first seen. */
  readonly values: Map<string, number>
  readonly greatest: Map<Key, Stamp.Stamp>
  /** Counters of datagrams sent, by sender, epoch and cast. */
  readonly nonces: Set<string>
  datagrams: number
}

/** Begins to observe a namespace of a cluster; also taps its network. */
export const observe = (cluster: Cluster, namespace: string): Observer => {
  const observer: Observer = {
    cluster,
    namespace,
    seen: new Map(),
    values: new Map(),
    greatest: new Map(),
    nonces: new Set(),
    datagrams: 0
  }
  cluster.hub.tap((sent) => {
    observer.datagrams++
    freshness(observer, sent.payload)
  })
  return observer
}

const namespaceOf = (observer: Observer, node: Node): Namespace | undefined =>
  node.member.namespaces().get(observer.namespace)

const identityOf = (node: Node, namespace: Namespace): string => `${node.member.id}/${namespace.replica.incarnation}`

const live = (observer: Observer): ReadonlyArray<{ readonly node: Node; readonly namespace: Namespace }> =>
  observer.cluster.nodes().flatMap((node) => {
    const namespace = namespaceOf(observer, node)
    return namespace === undefined ? [] : [{ node, namespace }]
  })

/** Looks at every member once: invariants 2, 3, 4 and 6. */
export const look = (observer: Observer): void => {
  for (const { namespace, node } of live(observer)) {
    const id = identityOf(node, namespace)
    let seen = observer.seen.get(id)
    if (seen === undefined) {
      seen = { read: new Map(), gone: new Map() }
      observer.seen.set(id, seen)
    }
    const { replica } = namespace
    for (const record of replica.records.values()) {
      if (record.kind === "tombstone") {
        const known = seen.gone.get(record.key)
        if (known === undefined || Stamp.compare(record, known) > 0) {
          seen.gone.set(record.key, { clock: record.clock, writer: record.writer })
        }
        continue
      }
      const entry = Replica.peek(replica, record.key, replica.judgedMillis)
      if (entry === undefined) continue
      resurrection(node, seen, replica.floor, entry)
      monotonic(node, seen, entry)
      invention(observer, node, entry)
      const greatest = observer.greatest.get(entry.key)
      if (greatest === undefined || Stamp.compare(entry, greatest) > 0) {
        observer.greatest.set(entry.key, { clock: entry.clock, writer: entry.writer })
      }
    }
    bounds(node, namespace)
  }
}

type Entry = Stamp.Stamp & { readonly key: Key; readonly crc: number }

const resurrection = (node: Node, seen: Seen, floor: number, entry: Entry): void => {
  if (entry.clock <= floor) {
    throw new Violation(2, `${node.name} reads ${show(entry.key, entry)}, which a clear removed`)
  }
  const gone = seen.gone.get(entry.key)
  if (gone !== undefined && Stamp.compare(entry, gone) <= 0) {
    throw new Violation(2, `${node.name} reads ${show(entry.key, entry)}, which was gone at ${Stamp.format(gone)}`)
  }
}

const monotonic = (node: Node, seen: Seen, entry: Entry): void => {
  const last = seen.read.get(entry.key)
  if (last !== undefined && Stamp.compare(entry, last) < 0) {
    throw new Violation(3, `${node.name} reads ${show(entry.key, entry)} after ${Stamp.format(last)}`)
  }
  if (last === undefined || Stamp.compare(entry, last) > 0) {
    seen.read.set(entry.key, { clock: entry.clock, writer: entry.writer })
  }
}

const invention = (observer: Observer, node: Node, entry: Entry): void => {
  const id = identity(entry.key, entry)
  const crc = observer.values.get(id)
  if (crc === undefined) {
    observer.values.set(id, entry.crc)
  } else if (crc !== entry.crc) {
    throw new Violation(4, `${node.name} reads other bytes for ${show(entry.key, entry)} than were written`)
  }
}

const bounds = (node: Node, namespace: Namespace): void => {
  const { options, replica } = namespace
  const within = (what: string, value: number, bound: number): void => {
    if (value > bound) throw new Violation(6, `${node.name} has ${value} ${what}, more than ${bound}`)
  }
  within("entries", replica.size, options.cacheMax)
  within("bytes", replica.bytes, options.cacheSizeBytes)
  within("tombstones", replica.tombstones, options.tombstonesMax)
  within("keys in the outbox", namespace.outbox.size, options.cacheMax + options.tombstonesMax + 1)
  const { network } = node.member.localMetrics(namespace.name)
  within("bytes kept for repeats", network.retainedBytes, node.member.configuration.protocol.retainBytesMax)
  within("bytes in reassembly", network.reassemblyBytes, 4 * node.member.configuration.protocol.reassemblyBytesMax)
}

const freshness = (observer: Observer, payload: Uint8Array): void => {
  const header = Datagram.decodeHeader(payload)
  if (header === undefined) return
  const nonce = `${header.sender}/${header.epoch}/${header.unicast}/${header.counter}`
  if (observer.nonces.has(nonce)) throw new Violation(8, `counter ${nonce} was used twice`)
  observer.nonces.add(nonce)
}

/** Clocks of members may differ by twice `clockKeepMillis`, and an idle member judges expiry a little later. */
const expiryMarginMillis = 2_500

/** What a member holds, but for what expires about now: that is gone at one member a moment before it is at another. */
const stateOf = (namespace: Namespace, nowMillis: number): Map<Key, string> => {
  const state = new Map<Key, string>()
  for (const entry of Replica.entries(namespace.replica, namespace.replica.judgedMillis)) {
    if (entry.expiresAt !== 0 && entry.expiresAt <= nowMillis + expiryMarginMillis) continue
    state.set(entry.key, `${entry.clock}/${entry.writer}/${entry.crc}`)
  }
  return state
}

/** What differs between members, for messages: empty when nothing does. */
export const differences = (observer: Observer): ReadonlyArray<string> => {
  const members = live(observer)
  if (members.length < 2) return []
  const found: Array<string> = []
  const now = Math.max(...members.map(({ namespace }) => namespace.replica.judgedMillis))
  const first = stateOf(members[0].namespace, now)
  for (const { namespace, node } of members.slice(1)) {
    const state = stateOf(namespace, now)
    for (const key of new Set([...first.keys(), ...state.keys()])) {
      if (first.get(key) !== state.get(key)) {
        found.push(
          `${JSON.stringify(key)}: ${members[0].node.name} has ${first.get(key) ?? "nothing"}, ${node.name} has ${
            state.get(key) ?? "nothing"
          }`
        )
      }
    }
  }
  return found
}

/** Invariant 1: all live members hold the same. */
export const convergence = (observer: Observer): void => {
  const found = differences(observer)
  if (found.length > 0) throw new Violation(1, `${found.length} keys differ: ${found.slice(0, 5).join("; ")}`)
}

/** Invariant 5, after convergence: what is there is the newest that was seen anywhere. */
export const newest = (observer: Observer): void => {
  const survivors = new Set(live(observer).map(({ namespace, node }) => identityOf(node, namespace)))
  for (const { namespace, node } of live(observer)) {
    for (const entry of Replica.entries(namespace.replica, namespace.replica.judgedMillis)) {
      for (const [id, seen] of observer.seen) {
        const read = seen.read.get(entry.key)
        if (survivors.has(id) && read !== undefined && Stamp.compare(entry, read) < 0) {
          throw new Violation(5, `${node.name} holds ${show(entry.key, entry)}, but ${Stamp.format(read)} was received`)
        }
      }
    }
  }
}

/** Invariant 7: what was sent since the mark is no more than heartbeats. */
export const quiet = (observer: Observer, since: number, seconds: number): void => {
  const members = observer.cluster.nodes().length
  const sent = observer.datagrams - since
  const most = Math.ceil(members * (seconds + 1) * 1.5)
  if (sent > most) {
    throw new Violation(7, `${sent} datagrams in ${seconds} s of ${members} idle members, more than ${most}`)
  }
}

/** Invariant 9, when a flush of `writer` just succeeded: every live member has folded what was written before it. */
export const flushed = (observer: Observer, writer: Node, written: ReadonlyMap<Key, Stamp.Stamp>): void => {
  const known = new Set(writer.member.members().map(({ id }) => id))
  for (const { namespace, node } of live(observer)) {
    if (node === writer || !known.has(node.member.id) || namespace.options.mode !== 1) continue
    const { replica } = namespace
    for (const [key, stamp] of written) {
      const record = Replica.record(replica, key)
      if (record !== undefined && Stamp.compare(record, stamp) >= 0) continue
      if (stamp.clock <= replica.floor || stamp.clock <= replica.forget) continue
      throw new Violation(9, `${writer.name} flushed, but ${node.name} has not folded ${show(key, stamp)}`)
    }
  }
}

/** Invariant 10: local work neither fails nor waits, whatever the network does. */
export const isolated = <A>(node: Node, work: () => A): A => {
  try {
    return work()
  } catch (error) {
    throw new Violation(10, `local work at ${node.name} failed: ${String(error)}`)
  }
}

/** Invariant 11: two runs of one seed. */
export const deterministic = (first: string, second: string): void => {
  if (first !== second) throw new Violation(11, `one seed gave the traces ${first} and ${second}`)
}

/** Every invariant by number, with what checks it. */
export const invariants = {
  "1": convergence,
  "2": resurrection,
  "3": monotonic,
  "4": invention,
  "5": newest,
  "6": bounds,
  "7": quiet,
  "8": freshness,
  "9": flushed,
  "10": isolated,
  "11": deterministic
} as const
