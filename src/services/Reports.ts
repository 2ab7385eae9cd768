/**
 * Reports: what a member counted, and checksums of what it holds, as values for people and tools.
 *
 * @since 0.1.0
 */
import type { Key } from "../domain/Key.ts"
import * as MemberLabel from "../domain/MemberLabel.ts"
import type { MemberId } from "../domain/Stamp.ts"
import type { Actor, Loop } from "./Actor.ts"
import { checksumOf, metricsOf, type NamespaceMetrics } from "./CacheCore.ts"
import type { Counters } from "./Counters.ts"
import type { HostProcessShape, ProcessUsage } from "./HostProcess.ts"
import type { Housekeeper } from "./Housekeeper.ts"
import type { Listener } from "./Listener.ts"
import type { MemberTime } from "./MemberTime.ts"
import type { Multicaster } from "./Multicaster.ts"
import type { Namespace } from "./Namespace.ts"
import type { Network } from "./Network.ts"
import type { Sealing } from "./Sealing.ts"

/** Depth of a queue. @category models */
export interface QueueMetrics {
  readonly now: number
  readonly max: number
  readonly average: number
  readonly dropped: number
}

/** The options that a namespace is open with, and the clocks that a write of it must exceed. @category models */
export interface OptionsReport {
  readonly mode: number
  readonly collision: string
  readonly eviction: string
  /** Entries. */
  readonly max: number
  /** Bytes of encoded keys and values. */
  readonly size: number
  /** The default time to live; 0 is for ever. */
  readonly ttlMillis: number
  /** The stamp of the newest clear, and that of the newest record that was forgotten. */
  readonly floor: number
  readonly forget: number
}

/** What this member counted. @category models */
export interface MemberMetrics {
  readonly member: MemberId
  readonly label: string
  /** The others that it knows of. */
  readonly members: ReadonlyArray<{ readonly member: MemberId; readonly label: string; readonly suspect: boolean }>
  readonly namespaces: { readonly [name: string]: NamespaceMetrics }
  /** By the names of the same namespaces. */
  readonly options: { readonly [name: string]: OptionsReport }
  readonly process: ProcessUsage
  readonly queues: { readonly [actor: string]: QueueMetrics }
  readonly restarts: { readonly [fiber: string]: number }
  readonly operations: {
    readonly in: { readonly [operation: string]: number }
    readonly out: { readonly [operation: string]: number }
  }
  readonly network: {
    readonly datagramsIn: number
    readonly datagramsOut: number
    readonly bytesIn: number
    readonly bytesOut: number
    readonly lost: number
    readonly repaired: number
    readonly abandoned: number
    readonly duplicates: number
    readonly receiveOverflow: number
    readonly sendFailures: number
    /** Datagrams of this member's that the slowest of the others has not settled yet. */
    readonly lagDatagrams: number
    readonly windowDatagrams: number
    readonly creditDatagrams: number
    readonly retainedBytes: number
    readonly reassemblyBytes: number
    /** Senders that have not proved themselves (yet), and how many of their datagrams wait for that. */
    readonly strangers: number
    readonly parkedDatagrams: number
  }
  readonly refused: { readonly [reason: string]: number }
  /** Datagrams opened with each key, by key id in hexadecimal: when an old key's count stands still it can be dropped. */
  readonly openedByKey: { readonly [keyId: string]: number }
  readonly coherence: {
    readonly collisions: number
    readonly repairRounds: number
    readonly repairedRecords: number
    readonly joins: number
    readonly outboxOverflows: number
    readonly callbackFailures: number
    readonly undecodable: number
    readonly changesDropped: number
    readonly members: number
    readonly clockCorrectionMillis: number
  }
  /** From the stamp of a write to its fold here, milliseconds; clock skew between the hosts is in it. */
  readonly propagation: { readonly count: number; readonly p50: number; readonly p99: number }
}

/** Where the figures come from. */
export interface Sources {
  readonly self: MemberId
  readonly time: MemberTime
  readonly host: HostProcessShape
  readonly counters: Counters
  readonly network: Network["Service"]
  readonly sealing: Sealing
  readonly multicaster: Multicaster
  readonly listener: Listener
  readonly housekeeper: Housekeeper
  readonly namespaces: ReadonlyMap<string, Namespace>
  readonly fibers: ReadonlyMap<string, Pick<Actor<never>, "restarts"> | Loop>
}

/** What the member counted; of namespaces all, or one. */
export const metrics = (from: Sources, name?: string): MemberMetrics => {
  const { counters, host, housekeeper, listener, multicaster, namespaces, network, sealing } = from
  const chosen = [...namespaces.values()].filter((namespace) => name === undefined || namespace.name === name)
  const drops = network.drops()
  const actors = [multicaster.actor, listener.actor, housekeeper.actor, ...chosen.map(({ inbox }) => inbox)]
  return {
    member: from.self,
    label: MemberLabel.of(host),
    members: Array.from(housekeeper.membership.members.values(), (member) => ({
      member: member.id,
      label: MemberLabel.of(member),
      suspect: member.suspect
    })),
    namespaces: Object.fromEntries(chosen.map((namespace) => [namespace.name, metricsOf(namespace)])),
    options: Object.fromEntries(chosen.map((namespace) => [namespace.name, optionsOf(namespace)])),
    process: host.usage(),
    queues: Object.fromEntries(actors.map((actor) => [actor.name, actor.depth()])),
    restarts: Object.fromEntries([...from.fibers].map(([fiber, { restarts }]) => [fiber, restarts()])),
    operations: { in: { ...counters.operationsIn }, out: { ...counters.operationsOut } },
    network: {
      datagramsIn: counters.datagramsIn,
      datagramsOut: counters.datagramsOut,
      bytesIn: counters.bytesIn,
      bytesOut: counters.bytesOut,
      lost: counters.lost,
      repaired: counters.repaired,
      abandoned: counters.abandoned,
      duplicates: counters.duplicates,
      receiveOverflow: drops.receiveOverflow,
      sendFailures: drops.sendFailures,
      lagDatagrams: Math.max(
        0,
        ...[...housekeeper.membership.members.keys()].map((member) => multicaster.lagOf(member) ?? 0)
      ),
      windowDatagrams: multicaster.windowDatagrams(),
      creditDatagrams: listener.creditDatagrams(),
      retainedBytes: multicaster.retainedBytes(),
      reassemblyBytes: listener.reassemblyBytes(),
      strangers: listener.strangers(),
      parkedDatagrams: listener.parkedDatagrams()
    },
    refused: { ...counters.refused },
    openedByKey: Object.fromEntries(
      [...sealing.opened].map(([id, opened]) => [id.toString(16).padStart(8, "0"), opened])
    ),
    coherence: {
      collisions: counters.collisions,
      repairRounds: counters.repairRounds,
      repairedRecords: counters.repairedRecords,
      joins: counters.joins,
      outboxOverflows: counters.outboxOverflows,
      callbackFailures: counters.callbackFailures,
      undecodable: counters.undecodable,
      changesDropped: counters.changesDropped,
      members: housekeeper.membership.members.size + 1,
      clockCorrectionMillis: from.time.correctionMillis()
    },
    propagation: {
      count: counters.propagation.count,
      p50: counters.propagation.quantile(0.5),
      p99: counters.propagation.quantile(0.99)
    }
  }
}

const optionsOf = ({ options, replica, ttlMillis }: Namespace): OptionsReport => ({
  mode: options.mode,
  collision: options.collision,
  eviction: options.eviction,
  max: options.cacheMax,
  size: options.cacheSizeBytes,
  ttlMillis,
  floor: replica.floor,
  forget: replica.forget
})

/**
 * Of a key, a namespace, or all namespaces, each with its name. `undefined` for a key or a namespace that is not there.
 * Without a namespace a key is looked for in `default`.
 */
export const checksum = (
  namespaces: ReadonlyMap<string, Namespace>,
  now: number,
  name?: string,
  key?: Key
): string | undefined => {
  if (name !== undefined || key !== undefined) {
    const namespace = namespaces.get(name ?? "default")
    return namespace === undefined ? undefined : checksumOf(namespace, now, key)
  }
  return [...namespaces.values()].sort((a, b) => a.name < b.name ? -1 : 1)
    .map((namespace) => `${namespace.name}=${checksumOf(namespace, now)}`).join(" ")
}
