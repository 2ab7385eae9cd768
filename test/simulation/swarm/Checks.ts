/** What a run checks beside what `src/runtime/testing` does, by the numbers of the invariants (section 12 of the design). */
import * as Replica from "../../../src/domain/Replica.ts"
import * as Stamp from "../../../src/domain/Stamp.ts"
import * as Checkers from "../../../src/runtime/testing/Checkers.ts"
import type * as Cluster from "../../../src/runtime/testing/Cluster.ts"
import * as History from "../../../src/runtime/testing/History.ts"
import type { Action, Key } from "./Plan.ts"

/** The one that a run works on. */
export const namespace = "swarm"

/** Invariant 10: what was written here is what the next line reads. */
export const writtenThrough = ({ member, name }: Cluster.Node, action: Action): void => {
  if (action._tag === "Clear" || action._tag === "ClearAll") {
    const size = member.namespaces().get(namespace)?.replica.size ?? 0
    if (size === 0) return
    throw new Checkers.Violation(10, `${name} cleared, and has ${size} entries`)
  }
  if (action._tag !== "Set" && action._tag !== "Delete") return
  const found = member.cache(namespace).metadata(action.key)
  if (action._tag === "Delete" ? found === undefined : found?.writer === member.id) return
  throw new Checkers.Violation(10, `${name} does not read its own ${action._tag} of ${JSON.stringify(action.key)}`)
}

/**
 * Those for which somebody keeps nothing, as it does not know them. Either for longer than a challenge waits, because what they
 * met with was lost twice; or because it wrote while it knew nobody, between its PROOF to them and theirs to it.
 */
export const watchUnheard = (cluster: Cluster.Cluster, challengeIntervalMillis: number) => {
  const since = new Map<string, number>()
  const unheard = new Set<string>()
  cluster.witness({
    folded: (writer, _subject, { origin }) => {
      if (origin !== "local" && origin !== "fill") return
      const nodes = cluster.nodes()
      const knowsNobody = nodes.some(({ member }) => member.id === writer && member.members().length <= 1)
      if (knowsNobody) { for (const { member, name } of nodes) if (member.id !== writer) unheard.add(name) }
    }
  })
  const knows = (one: Cluster.Node, other: Cluster.Node): boolean =>
    one.member.members().some(({ id }) => id === other.member.id)
  return {
    unheard,
    look: (now: number): void => {
      const nodes = cluster.nodes()
      for (const node of nodes) {
        const { name } = node
        const unknown = nodes.some((other) => other !== node && knows(node, other) && !knows(other, node))
        if (!unknown) since.delete(name)
        else if (!since.has(name)) since.set(name, now)
        else if (now - (since.get(name) ?? now) > 1.5 * challengeIntervalMillis) unheard.add(name)
      }
    }
  }
}

/** Invariant 7: what is lost is had by asking for it again; a repair, which costs more, is for what is not kept any more. */
export const nothingGivenUp = (cluster: Cluster.Cluster, exempt: ReadonlySet<string>): void => {
  for (const { member, name } of cluster.nodes()) {
    if (exempt.has(name)) continue
    const { abandoned } = member.localMetrics(namespace).network
    if (abandoned > 0) throw new Checkers.Violation(7, `${name} gave up ${abandoned} datagrams that were to be had`)
  }
}

/** How many records repairs have brought so far. */
export const repaired = (cluster: Cluster.Cluster): number =>
  cluster.nodes().reduce((sum, { member }) => sum + member.localMetrics(namespace).coherence.repairedRecords, 0)

/** Invariant 6: at rest nothing is kept that nobody needs, and everyone knows who is there. */
export const atRest = (cluster: Cluster.Cluster): void => {
  const alive = new Set(cluster.nodes().map(({ member }) => member.id))
  for (const { member, name } of cluster.nodes()) {
    const { network } = member.localMetrics(namespace)
    const outbox = member.namespaces().get(namespace)?.outbox.size ?? 0
    if (network.retainedBytes > 0 || network.reassemblyBytes > 0 || outbox > 0) {
      throw new Checkers.Violation(
        6,
        `${name} at rest keeps ${network.retainedBytes} bytes for repeats, ${network.reassemblyBytes} in reassembly, ${outbox} keys to send`
      )
    }
    const known = member.members().map(({ id }) => id)
    if (known.length !== alive.size || known.some((id) => !alive.has(id))) {
      throw new Checkers.Violation(6, `${name} knows ${known.length} members, but ${alive.size} are alive`)
    }
  }
}

/** Invariant 6: who says that it leaves is known no more, before silence would tell. */
export const farewellHeard = ({ member: { id }, name }: Cluster.Node, others: ReadonlyArray<Cluster.Node>): void => {
  for (const { member, name: other } of others) {
    if (member.members().every((known) => known.id !== id)) continue
    throw new Checkers.Violation(6, `${name} left, and ${other} knows it still`)
  }
}

/**
 * Invariant 8: who is dead is not met again, whatever is replayed of it. A challenge is open for a moment, and who answered it
 * may die then: only later meetings are judged, and none of who stood still, to which all comes late.
 */
export const watchMeetings = (cluster: Cluster.Cluster, openMillis: number) => {
  const goneMillis = new Map<string, number>()
  const unjudged = new Set<string>()
  const known = new Map<string, ReadonlySet<string>>()
  return {
    gone: (id: string, now: number): void => void goneMillis.set(id, now),
    unjudged: (id: string): void => void unjudged.add(id),
    look: (now: number): void => {
      for (const { member, name } of cluster.nodes()) {
        const before = known.get(member.id)
        const others = new Set(member.members().map(({ id }) => id))
        known.set(member.id, others)
        if (before === undefined || unjudged.has(member.id)) continue
        for (const id of others) {
          const gone = goneMillis.get(id)
          if (gone === undefined || before.has(id) || now - gone < openMillis) continue
          throw new Checkers.Violation(8, `${name} met ${id}, which is gone for ${now - gone} ms`)
        }
      }
    }
  }
}

/** What each of these members holds now that could give the namespace. */
export const knownToAll = (nodes: ReadonlyArray<Cluster.Node>): Map<Key, Stamp.Stamp> => {
  const known = new Map<Key, Stamp.Stamp>()
  const donors = nodes.flatMap(({ member }) => {
    const found = member.namespaces().get(namespace)
    return found?.caughtUp === true ? [found.replica] : []
  })
  for (const { clock, key, writer } of donors[0]?.records.values() ?? []) {
    const stamp = { clock, writer }
    const all = donors.every((replica) => {
      const record = Replica.record(replica, key)
      return record !== undefined && Stamp.compare(record, stamp) >= 0
    })
    if (all) known.set(key, stamp)
  }
  return known
}

/** Invariant 9: a member that is `ready` knows what all others knew when it started. */
export const knows = (node: Cluster.Node, known: ReadonlyMap<Key, Stamp.Stamp>): void => {
  const replica = node.member.namespaces().get(namespace)?.replica
  if (replica === undefined) return
  for (const [key, stamp] of known) {
    const record = Replica.record(replica, key)
    if (record !== undefined && Stamp.compare(record, stamp) >= 0) continue
    if (stamp.clock <= replica.floor || stamp.clock <= replica.forget) continue
    throw new Checkers.Violation(9, `${node.name} is ready, but has not heard of ${History.show(key, stamp)}`)
  }
}
