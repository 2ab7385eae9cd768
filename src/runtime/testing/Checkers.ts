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
import * as History from "./History.ts"
import { Violation } from "./Violation.ts"

export { type Invariant, Violation } from "./Violation.ts"

/** What was seen of a cluster so far. */
export interface Observer {
  readonly cluster: Cluster
  readonly namespace: string
  readonly history: History.History
  /** Counters of datagrams sent, by sender, epoch and cast. */
  readonly nonces: Set<string>
  datagrams: number
  /** The first violation that was seen in what was sent; the next `look` throws it. */
  violation: Violation | undefined
}

/** Begins to observe a namespace of a cluster; also taps its network. */
export const observe = (cluster: Cluster, namespace: string, options: History.Options = {}): Observer => {
  const observer: Observer = {
    cluster,
    namespace,
    history: History.record(cluster, namespace, options),
    nonces: new Set(),
    datagrams: 0,
    violation: undefined
  }
  cluster.hub.tap((sent) => {
    observer.datagrams++
    freshness(observer, sent.payload)
  })
  return observer
}

const namespaceOf = (observer: Observer, node: Node): Namespace | undefined =>
  node.member.namespaces().get(observer.namespace)

const live = (observer: Observer): ReadonlyArray<{ readonly node: Node; readonly namespace: Namespace }> =>
  observer.cluster.nodes().flatMap((node) => {
    const namespace = namespaceOf(observer, node)
    return namespace === undefined ? [] : [{ node, namespace }]
  })

/** Looks at every member once: invariants 2, 3, 4, 6, 8 and 9. */
export const look = (observer: Observer): void => {
  observer.history.verify()
  if (observer.violation !== undefined) throw observer.violation
  for (const { namespace, node } of live(observer)) {
    const life = observer.history.lifeOf(node, namespace)
    History.look(life, namespace)
    History.intact(observer.history, life, namespace)
    bounds(node, namespace)
  }
}

const bounds = (node: Node, namespace: Namespace): void => {
  const { options, replica } = namespace
  const within = (what: string, value: number, bound: number): void => {
    if (value > bound) throw new Violation(6, `${node.name} has ${value} ${what}, more than ${bound}`)
  }
  let entries = 0
  let bytes = 0
  for (const record of replica.records.values()) {
    if (record.kind !== "entry") continue
    entries++
    bytes += record.bytes
  }
  const counted = [entries, bytes, replica.records.size - entries].join()
  const told = [replica.size, replica.bytes, replica.tombstones].join()
  if (counted !== told) {
    throw new Violation(6, `${node.name} holds ${counted} entries, bytes and tombstones, and counts ${told}`)
  }
  within("entries", replica.size, options.cacheMax)
  within("bytes", replica.bytes, options.cacheSizeBytes)
  within("tombstones", replica.tombstones, options.tombstonesMax)
  within("keys in the outbox", namespace.outbox.size, options.cacheMax + options.tombstonesMax + 1)
  const { network } = node.member.localMetrics(namespace.name)
  const { parkedDatagramsMax, reassemblyBytesMax, retainBytesMax, sessionsMax } = node.member.configuration.protocol
  within("bytes kept for repeats", network.retainedBytes, retainBytesMax)
  within("bytes in reassembly", network.reassemblyBytes, 4 * reassemblyBytesMax)
  within("strangers", network.strangers, sessionsMax)
  within("datagrams of strangers", network.parkedDatagrams, sessionsMax * parkedDatagramsMax)
  within("members", node.member.members().length, sessionsMax + 1)
}

const freshness = (observer: Observer, payload: Uint8Array): void => {
  const header = Datagram.decodeHeader(payload)
  if (header === undefined) return
  const nonce = `${header.sender}/${header.epoch}/${header.unicast}/${header.counter}`
  // What is thrown here would be taken for a failure of the sender, which is restarted.
  if (observer.nonces.has(nonce)) observer.violation ??= new Violation(8, `counter ${nonce} was used twice`)
  observer.nonces.add(nonce)
}

/** Clocks of members may differ by twice `clockKeepMillis`, and an idle member judges expiry a little later. */
const expiryMarginMillis = 2_500

/** What a member holds, but for what expires about now: that is gone at one member a moment before it is at another. */
const stateOf = (namespace: Namespace, nowMillis: number, marginMillis: number): Map<Key, string> => {
  const state = new Map<Key, string>()
  for (const entry of Replica.entries(namespace.replica, namespace.replica.judgedMillis)) {
    if (entry.expiresAt !== 0 && entry.expiresAt <= nowMillis + marginMillis) continue
    state.set(entry.key, `${entry.clock}/${entry.writer}/${entry.crc}`)
  }
  return state
}

/** What differs between members, for messages: empty when nothing does. */
export const differences = (observer: Observer, marginMillis = expiryMarginMillis): ReadonlyArray<string> => {
  const members = live(observer)
  if (members.length < 2) return []
  const found: Array<string> = []
  const now = Math.max(...members.map(({ namespace }) => namespace.replica.judgedMillis))
  const first = stateOf(members[0].namespace, now, marginMillis)
  for (const { namespace, node } of members.slice(1)) {
    const state = stateOf(namespace, now, marginMillis)
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

/**
 * Invariant 1: all live members hold the same. What expires within `marginMillis` may differ: none of it when it is asked whether
 * they have come together yet, for of what goes by itself the difference would show later, by what it hid.
 */
export const convergence = (observer: Observer, marginMillis = expiryMarginMillis): void => {
  const found = differences(observer, marginMillis)
  if (found.length > 0) throw new Violation(1, `${found.length} keys differ: ${found.slice(0, 5).join("; ")}`)
}

/**
 * Invariant 5, after convergence: what is there is the newest that any survivor received; in mode 0, whose
 * members need not hold what they receive, that any survivor stored; in mode 2, where a fill is nobody else's business, that
 * any survivor wrote. With `nothingForgotten`, when there was room for everything all along,
 * the newest is there indeed. `marginMillis` as with `convergence`.
 */
export const newest = (
  observer: Observer,
  nothingForgotten = false,
  marginMillis = expiryMarginMillis
): void => {
  const survivors = live(observer)
  const now = Math.max(...survivors.map(({ namespace }) => namespace.replica.judgedMillis))
  // What is about to expire may be gone at some, and is not compared.
  const expires = (written: { readonly expiresAt: number } | undefined): boolean =>
    written !== undefined && written.expiresAt !== 0 && written.expiresAt <= now + marginMillis
  for (const { namespace, node } of survivors) {
    const { floor, judgedMillis, options } = namespace.replica
    for (const { namespace: theirs, node: other } of survivors) {
      const life = observer.history.lifeOf(other, theirs)
      const told = options.mode === 1 ? life.received : options.mode === 0 ? life.stored : life.own
      for (const [key, stamp] of told) {
        const entry = Replica.peek(namespace.replica, key, judgedMillis)
        if (expires(entry) || expires(observer.history.written.get(History.identity(key, stamp)))) continue
        if (entry !== undefined && Stamp.compare(entry, stamp) < 0) {
          throw new Violation(
            5,
            `${node.name} holds ${History.show(key, entry)}, but ${other.name} received ${Stamp.format(stamp)}`
          )
        }
        if (!nothingForgotten || entry !== undefined || stamp.clock <= Math.max(floor, theirs.replica.floor)) continue
        const record = Replica.record(namespace.replica, key)
        if (record === undefined || Stamp.compare(record, stamp) < 0) {
          throw new Violation(
            5,
            `${node.name} knows nothing of ${History.show(key, stamp)}, which ${other.name} received`
          )
        }
      }
    }
  }
}

/** Invariant 7: what was sent since the mark is no more than heartbeats. */
export const quiet = (observer: Observer, since: number, seconds: number, heartbeatMillis = 1_000): void => {
  const members = observer.cluster.nodes().length
  const sent = observer.datagrams - since
  const most = Math.ceil(members * (seconds * 1_000 / heartbeatMillis + 1) * 1.5)
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
      throw new Violation(9, `${writer.name} flushed, but ${node.name} has not folded ${History.show(key, stamp)}`)
    }
  }
}

/** Invariant 10: local work neither fails nor waits, whatever the network does. */
export const isolated = <A>(node: Node, work: () => A): A => {
  try {
    return work()
  } catch (error) {
    if (error instanceof Violation) throw error
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
  "2": look,
  "3": look,
  "4": look,
  "5": newest,
  "6": look,
  "7": quiet,
  "8": look,
  "9": flushed,
  "10": isolated,
  "11": deterministic
} as const
