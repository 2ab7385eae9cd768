/**
 * McCache for Effect programs: a `Map` that is the same in every process of a cluster.
 *
 * @since 0.1.0
 */
export type { Collision, Eviction, Mode, Options } from "./domain/Configuration.ts"
export type { Key } from "./domain/Key.ts"
export {
  AckTimeout,
  Closed,
  InvalidConfig,
  InvalidKey,
  McCacheError,
  NetworkFailed,
  OptionsConflict,
  Reason,
  Unencodable,
  ValueTooLarge
} from "./domain/McCacheError.ts"
export type { NamespaceOptions } from "./domain/NamespaceOptions.ts"
export type { ProtocolOptions } from "./domain/Protocol.ts"
export type { Stamp } from "./domain/Stamp.ts"
export { McCache } from "./runtime/McCache.ts"
export type { ProcessOptions } from "./runtime/Open.ts"
export type { Cache, WriteOptions } from "./services/Cache.ts"
export type { Metadata, NamespaceMetrics, SetOptions } from "./services/CacheCore.ts"
export type { Change, ChangedSinceRead } from "./services/Changes.ts"
export type { ClusterEvent } from "./services/ClusterEvent.ts"
export type { Gathered, GatherOptions, MemberInfo } from "./services/Gather.ts"
export type { McCacheService } from "./services/McCacheService.ts"
export type { CacheOptions } from "./services/Opening.ts"
export type { MemberMetrics } from "./services/Reports.ts"
export type { Acknowledgement, Flushed, WaitOptions } from "./services/Waits.ts"
