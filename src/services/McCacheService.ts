/**
 * The `McCache` service of Effect programs: a member, with its caches as `Cache<V>`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { Key } from "../domain/Key.ts"
import type { McCacheError } from "../domain/McCacheError.ts"
import { attempt } from "./Attempt.ts"
import * as Cache from "./Cache.ts"
import type { ClusterEvent } from "./ClusterEvent.ts"
import type { Gathered, GatherOptions, MemberInfo } from "./Gather.ts"
import type { Member } from "./Member.ts"
import type { CacheOptions } from "./Opening.ts"
import * as Prometheus from "./Prometheus.ts"
import type { MemberMetrics } from "./Reports.ts"
import type { Flushed, WaitOptions } from "./Waits.ts"

/** Measures the way to another host with the system's `ping`. */
export interface PathProbe {
  readonly mtu: (ip: string) => Effect.Effect<number, McCacheError>
  readonly hops: (ip: string, max?: number) => Effect.Effect<number, McCacheError>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface McCacheService {
  /** This member's id. */
  readonly id: string
  /**
   * The namespace, opened on first use (default name `default`). Asking again with other options fails with
   * `OptionsConflict`, as does a mode, collision or eviction other than the cluster's.
   */
  readonly cache: <V = unknown>(name?: string, options?: CacheOptions<V>) => Effect.Effect<Cache.Cache<V>, McCacheError>
  /** Clears everywhere: all namespaces, also those opened later, or one. With `node`, only at that member, which then
   * transfers anew from the others. */
  readonly clear: (
    options?: { readonly name?: string | undefined; readonly node?: string | undefined }
  ) => Effect.Effect<void, McCacheError>
  readonly members: Effect.Effect<ReadonlyArray<MemberInfo>, McCacheError>
  readonly localMetrics: (name?: string) => Effect.Effect<MemberMetrics>
  /** The metrics of this member in the text format of Prometheus. */
  readonly prometheus: Effect.Effect<string>
  /** Of a key, a namespace, or all namespaces. */
  readonly localChecksum: (name?: string, key?: Key) => Effect.Effect<string | undefined, McCacheError>
  readonly clusterMetrics: (options?: GatherOptions) => Effect.Effect<Gathered<MemberMetrics>, McCacheError>
  readonly clusterChecksum: (
    options?: GatherOptions & { readonly key?: Key | undefined }
  ) => Effect.Effect<Gathered<string | undefined>, McCacheError>
  /** Succeeds when every member live at the call has applied all that was written here before it. Fails with
   * `AckTimeout`, naming who has not. */
  readonly flush: (options?: WaitOptions) => Effect.Effect<Flushed, McCacheError>
  /** Succeeds when every open namespace has caught up with the cluster, or nobody else is there. */
  readonly ready: Effect.Effect<void, McCacheError>
  readonly events: Stream.Stream<ClusterEvent>
  /** The largest UDP payload that reaches an address in one piece, in bytes. */
  readonly mtu: PathProbe["mtu"]
  /** The hops to an address, at most `max` (default 20): routers on the way + 1. */
  readonly hops: PathProbe["hops"]
  /** Sends what is queued, says farewell, and ends all fibers. The layer does it with its scope. */
  readonly close: Effect.Effect<void>
}

/** The service of a member. */
export const make = (member: Member, probe: PathProbe): McCacheService => {
  const caches = new Map<string, Cache.Cache<never>>()
  return {
    id: member.id,
    cache: <V>(name = "default", options?: CacheOptions<V>) =>
      attempt(() => {
        const core = member.cache(name, options)
        let cache = caches.get(name)
        if (cache === undefined) {
          cache = Cache.make(core, member) as unknown as Cache.Cache<never>
          caches.set(name, cache)
        }
        return cache as unknown as Cache.Cache<V>
      }),
    clear: member.clear,
    members: attempt(() => member.members()),
    localMetrics: (name) => Effect.sync(() => member.localMetrics(name)),
    prometheus: Prometheus.text(member.metricRegistry),
    localChecksum: (name, key) => attempt(() => member.localChecksum(name, key)),
    clusterMetrics: member.clusterMetrics,
    clusterChecksum: member.clusterChecksum,
    flush: member.flush,
    ready: member.ready,
    events: member.events,
    mtu: probe.mtu,
    hops: probe.hops,
    close: member.close
  }
}
