/**
 * A member of the cluster: everything that one opened McCache is, wired together. It needs a `Network` and a `Scope`; both
 * public doors, the Effect service and the standalone facade, are thin layers over it.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PubSub from "effect/PubSub"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Configuration } from "../domain/Configuration.ts"
import * as HybridClock from "../domain/HybridClock.ts"
import type { Key } from "../domain/Key.ts"
import * as McCacheError from "../domain/McCacheError.ts"
import * as MemberIds from "../domain/MemberId.ts"
import * as NamespaceOptions from "../domain/NamespaceOptions.ts"
import type { NamespaceSummary } from "../domain/Operation.ts"
import type { Places } from "../domain/Outbox.ts"
import type { MemberId } from "../domain/Stamp.ts"
import * as WriteCodec from "../domain/WriteCodec.ts"
import type { Actor, Loop } from "./Actor.ts"
import { attempt } from "./Attempt.ts"
import { CacheCore, closedError, requireKey } from "./CacheCore.ts"
import type { ClusterEvent } from "./ClusterEvent.ts"
import { CoarseClock } from "./CoarseClock.ts"
import * as Counters from "./Counters.ts"
import { Entropy } from "./Entropy.ts"
import { type Gathered, type GatherOptions, type MemberInfo } from "./Gather.ts"
import * as Gather from "./Gather.ts"
import { HostProcess } from "./HostProcess.ts"
import * as Housekeeper from "./Housekeeper.ts"
import * as Listener from "./Listener.ts"
import * as MemberTime from "./MemberTime.ts"
import * as MetricRegistration from "./MetricRegistration.ts"
import * as Multicaster from "./Multicaster.ts"
import type { Namespace } from "./Namespace.ts"
import { Network } from "./Network.ts"
import * as Observers from "./Observer.ts"
import type { CacheOptions } from "./Opening.ts"
import * as Opening from "./Opening.ts"
import * as OperationLog from "./OperationLog.ts"
import * as Reports from "./Reports.ts"
import type { MemberMetrics } from "./Reports.ts"
import * as Sealing from "./Sealing.ts"
import * as Subscribers from "./Subscribers.ts"
import * as TakeSpans from "./TakeSpans.ts"
import type { Acknowledgement, Flushed, WaitOptions } from "./Waits.ts"
import * as Waits from "./Waits.ts"
import { Witness } from "./Witness.ts"

/** This package's version, told to other members. */
export const version = "0.1.0"

export interface Member {
  readonly id: MemberId
  readonly configuration: Configuration
  /** Opens a namespace, or returns the open one. Throws `OptionsConflict`, `InvalidConfig`, `Closed`. */
  readonly cache: <V = unknown>(name?: string, options?: CacheOptions<V>) => CacheCore<V>
  readonly clear: (
    options?: { readonly name?: string | undefined; readonly node?: string | undefined }
  ) => Effect.Effect<void, McCacheError.McCacheError>
  readonly members: () => ReadonlyArray<MemberInfo>
  readonly localMetrics: (name?: string) => MemberMetrics
  /** Puts its Effect metrics among those that the context has a registry for. */
  readonly registerMetrics: MetricRegistration.MetricRegistration["into"]
  /** The Effect metrics of this member alone. */
  readonly metricRegistry: MetricRegistration.MetricRegistration["registry"]
  readonly localChecksum: (name?: string, key?: Key) => string | undefined
  readonly clusterMetrics: (
    options?: GatherOptions
  ) => Effect.Effect<Gathered<MemberMetrics>, McCacheError.McCacheError>
  readonly clusterChecksum: (
    options?: GatherOptions & { readonly key?: Key | undefined }
  ) => Effect.Effect<Gathered<string | undefined>, McCacheError.McCacheError>
  readonly flush: (options?: WaitOptions) => Effect.Effect<Flushed, McCacheError.McCacheError>
  /** Checks an acknowledgement and its timeout before the write that asks for it. */
  readonly checkAcknowledgement: (ack: Acknowledgement, options?: WaitOptions) => void
  /** Waits until so many members applied what was written before the call. */
  readonly acknowledged: (ack: Acknowledgement, options?: WaitOptions) => Effect.Effect<void, McCacheError.McCacheError>
  readonly ready: Effect.Effect<void, McCacheError.McCacheError>
  readonly events: Stream.Stream<ClusterEvent>
  readonly close: Effect.Effect<void>
  /** Ends at once, without a farewell, as a killed process does: a test hook. */
  readonly kill: Effect.Effect<void>
  readonly closed: () => boolean
  /** Looks at the cluster, and writes into it, without opening namespaces: for tools. */
  readonly observer: Observers.Observer
  /** What the others told of their namespaces in heartbeats, by member and name: for tools. */
  readonly summaries: () => ReadonlyMap<MemberId, ReadonlyMap<string, NamespaceSummary>>
  /** When another member was met, in ticks: one that was removed is met anew. For checkers. */
  readonly metTicks: (id: MemberId) => number | undefined
  /** The open namespaces: for checkers and tools. */
  readonly namespaces: () => ReadonlyMap<string, Namespace>
  /** The supervised fibers by name: a test hook. */
  readonly fibers: () => ReadonlyMap<string, Pick<Actor<never>, "kill" | "restarts">>
}

const eventsWaitingMax = 1_024
/** How often a member says that it leaves. */
const farewells = 3

/** Makes a member that lives as long as the scope, or until it is closed. */
export const make = Effect.fnUntraced(function*(
  configuration: Configuration
): Effect.fn.Return<Member, McCacheError.McCacheError, Network | Scope.Scope> {
  const network = yield* Network
  const clock = yield* Clock.Clock
  const randomness = yield* Random.Random
  const entropy = yield* Entropy
  const host = yield* HostProcess
  const witness = yield* Witness
  const context = yield* Effect.context<never>()
  const outer = yield* Effect.scope
  const scope = yield* Scope.make()
  const { protocol } = configuration
  const time = MemberTime.make(clock, yield* CoarseClock)
  const random = (): number => randomness.nextDoubleUnsafe()
  const self = MemberIds.read(entropy(16), 0)
  const keys = Redacted.value(configuration.cryptoKeys)
  const counters = Counters.make()
  const namespaces = new Map<string, Namespace>()
  /** Those that only send (`Observer`), and all that send. */
  const sending = new Map<string, Namespace>()
  const hybrid = HybridClock.make({ clockAheadMillisMax: protocol.clockAheadMillisMax })
  const places: Places = { last: 0 }
  const events = yield* Subscribers.make<ClusterEvent>()
  const datagramBytesMax = Math.min(configuration.packetMtu ?? network.datagramBytesMax, network.datagramBytesMax)
  let floor = 0
  let closed = false
  let listener: Listener.Listener | undefined
  let housekeeper: Housekeeper.Housekeeper | undefined

  const sealing = Sealing.make({
    self,
    cluster: configuration.cluster,
    keys,
    nowMillis: time.ticks,
    derivationsPerSecondMax: protocol.derivationsPerSecondMax
  })
  const recordBytesMax = (): number => {
    let largest = configuration.cacheSizeBytes
    for (const namespace of namespaces.values()) largest = Math.max(largest, namespace.options.cacheSizeBytes)
    return largest + WriteCodec.overheadBytesMax
  }

  const label = { host: host.host, pid: host.pid, thread: host.thread, version }

  /** Raises the floor of all namespaces; false when the clear's stamp is too far ahead (rule 1). */
  const clearAll = (clear: number): boolean => {
    if (clear <= floor) return true
    if (!HybridClock.observe(hybrid, clear, time.now())) return false
    floor = clear
    for (const namespace of namespaces.values()) namespace.clearWith(clear)
    return true
  }

  /** Clears a namespace, also one that is not open here, or all (`""`), everywhere. */
  const clearEverywhere = (name: string): void => {
    if (closed) throw closedError()
    const namespace = namespaces.get(name)
    if (namespace !== undefined) {
      namespace.clear()
      return
    }
    const clock = HybridClock.next(hybrid, time.now(), floor)
    if (name === "") clearAll(clock)
    multicaster.clear(name, clock)
  }

  const operations = yield* OperationLog.start({
    self,
    counters,
    ticks: time.ticks,
    hashKey: configuration.logKeys === "plain" ? undefined : OperationLog.keyHash(configuration.cluster, keys[0])
  }).pipe(Scope.provide(scope))

  const multicaster: Multicaster.Multicaster = yield* Multicaster.start({
    self,
    time,
    clock: hybrid,
    protocol,
    counters,
    operations,
    sealing,
    network,
    datagramBytesMax,
    places,
    namespaces: sending,
    alone: () => housekeeper?.alone() ?? false,
    ready: () => housekeeper?.ready() ?? false,
    floor: () => floor,
    lagging: (member) => housekeeper?.lagging(member),
    isReady: (id) => {
      const member = housekeeper?.membership.members.get(id)
      if (member === undefined || !member.ready) return false
      for (const [name, summary] of member.summaries) if (!summary.caughtUp && sending.has(name)) return false
      return true
    }
  }).pipe(Scope.provide(scope))

  const gatherable = (name: string | undefined): string => JSON.stringify(localMetrics(name))
  const keeper: Housekeeper.Housekeeper = yield* Housekeeper.start({
    self,
    time,
    protocol,
    cachePulseMillis: configuration.cachePulseMillis,
    daemonSleepMillis: configuration.daemonSleepMillis,
    counters,
    random,
    namespaces,
    multicaster,
    replyBytesMax: () => 2 * recordBytesMax() + 16 * 1_048_576,
    pieceBytes: Math.max(256, datagramBytesMax - sealing.overheadBytes - 96),
    listener: () => listener ?? idleListener,
    floor: () => floor,
    clock: hybrid,
    clearAll,
    metrics: gatherable,
    checksum: (name, key) => JSON.stringify(localChecksum(name, key) ?? null),
    lostUnsent: () => waits.lost(),
    took: TakeSpans.make(context, clock, (...stage) => witness?.took(self, ...stage)),
    startAnew: () => {
      HybridClock.restart(hybrid)
      floor = 0
      multicaster.dropClears()
      for (const namespace of namespaces.values()) {
        namespace.replica.floor = 0
        keeper.restart(namespace, 0)
      }
      opening.restartDetached()
      // Also what was sent: whoever refused it, as it was too far ahead, counts it as settled once it has repaired.
      waits.lost()
    },
    publish: (event) => void Subscribers.publish(events, event, eventsWaitingMax)
  }).pipe(Scope.provide(scope))
  housekeeper = keeper

  const ears: Listener.Listener = yield* Listener.start({
    self,
    time,
    clock: hybrid,
    protocol,
    counters,
    operations,
    sealing,
    network,
    datagramBytesMax,
    recordBytesMax,
    random,
    entropy,
    namespaces,
    multicaster,
    label,
    ready: keeper.ready,
    met: keeper.met,
    heard: keeper.heard,
    control: keeper.control,
    gap: keeper.gap,
    behind: keeper.behind,
    clearAll,
    overheard: (write) => observer.overheard(write),
    witness
  }).pipe(
    Scope.provide(scope),
    Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
  )
  listener = ears

  const opening = Opening.make({
    self,
    configuration,
    time,
    clock: hybrid,
    counters,
    places,
    witness,
    context,
    scope,
    open: namespaces,
    all: sending,
    floor: () => floor,
    closed: () => closed,
    settled: ears.settled,
    multicaster,
    housekeeper: keeper,
    opened: (namespace) => metering.opened(namespace)
  })

  // ------------------------------------------------------------------------------------------------ reports

  const allFibers = (): ReadonlyMap<string, Pick<Actor<never>, "kill" | "restarts">> => {
    const fibers = new Map<string, Loop>()
    for (const fiber of [multicaster.actor, ears.actor, ears.pump, keeper.actor]) fibers.set(fiber.name, fiber)
    for (const namespace of namespaces.values()) fibers.set(namespace.inbox.name, namespace.inbox)
    return fibers
  }

  const sources = (): Reports.Sources => ({
    self,
    time,
    host,
    counters,
    network,
    sealing,
    multicaster,
    listener: ears,
    housekeeper: keeper,
    namespaces,
    fibers: allFibers()
  })

  const localMetrics = (name?: string): MemberMetrics => Reports.metrics(sources(), name)
  const localChecksum = (name?: string, key?: Key): string | undefined =>
    Reports.checksum(namespaces, time.now(), name, key)

  const logged = <A>(what: "metrics" | "checksum", answer: A): A => {
    keeper.answered(what, () => JSON.stringify(answer ?? null))
    return answer
  }

  const waits = Waits.make({ protocol, places, multicaster, housekeeper: keeper, closed: () => closed })
  const gathering = Gather.make({
    self: { id: self, ...label },
    protocol,
    network,
    multicaster,
    housekeeper: keeper,
    namespaces,
    closed: () => closed
  })
  const { gather, members, reset } = gathering
  const observer = Observers.make({ gather: gathering, detached: opening.detach })

  const metering = MetricRegistration.make({ ...sources(), version, members }, configuration.cluster)

  // ------------------------------------------------------------------------------------------------ closing

  const close = Effect.suspend(() => {
    if (closed) return Effect.void
    closed = true
    return Effect.gen(function*() {
      if (protocol.closeTimeoutMillis > 0) {
        yield* Effect.raceFirst(Effect.sleep(protocol.closeTimeoutMillis), pollUntil(() => multicaster.drained()))
      }
      // Nobody asks for a farewell that is lost, and whoever does not hear it waits for this member until it is removed.
      for (let again = keeper.membership.members.size > 0 ? farewells - 1 : 0; again > 0; again--) {
        multicaster.send(undefined, { _tag: "LEAVE" })
        yield* Effect.sleep(protocol.resendIntervalMillis)
      }
      multicaster.send(undefined, { _tag: "LEAVE" })
      // It leaves on the Multicaster's next turn.
      yield* Effect.yieldNow
      yield* Effect.sleep(1)
    }).pipe(
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.void
          : Effect.logError("McCache did not close as it should; it is closed all the same", cause)
      ),
      Effect.ensuring(Scope.close(scope, Exit.void)),
      Effect.ensuring(PubSub.shutdown(events)),
      Effect.ensuring(Effect.sync(waits.end)),
      Effect.ensuring(Effect.sync(metering.end))
    )
  })

  yield* Scope.addFinalizer(outer, close)

  return {
    id: self,
    configuration,
    cache: <V>(name = "default", options: CacheOptions<V> = {}) => opening.open(name, options),
    clear: ({ name, node } = {}) => {
      if (node !== undefined) {
        return reset(node, name, () => {
          for (const namespace of namespaces.values()) {
            if (name === undefined || name === namespace.name) keeper.restart(namespace, 0)
          }
        })
      }
      return attempt(() => {
        if (name !== undefined) NamespaceOptions.requireName(name)
        clearEverywhere(name ?? "")
      })
    },
    members: () => {
      if (closed) throw closedError()
      return members()
    },
    localMetrics,
    registerMetrics: metering.into,
    metricRegistry: metering.registry,
    localChecksum: (name, key) => {
      if (closed) throw closedError()
      if (key !== undefined) requireKey(key)
      return localChecksum(name, key)
    },
    clusterMetrics: (options = {}) =>
      gather(options, () => logged("metrics", localMetrics(options.name)), (request) => ({
        _tag: "METRICS",
        request,
        namespace: options.name
      })),
    clusterChecksum: (options = {}) =>
      Effect.andThen(
        attempt(() => {
          if (options.key !== undefined) requireKey(options.key)
        }),
        gather<string | undefined>(
          options,
          () => logged("checksum", localChecksum(options.name, options.key)),
          (request) => ({ _tag: "CHECKSUM", request, namespace: options.name, key: options.key })
        )
      ),
    flush: waits.flush,
    checkAcknowledgement: waits.check,
    acknowledged: waits.acknowledged,
    ready: waits.ready,
    events: Subscribers.stream(events),
    close,
    kill: Effect.suspend(() => {
      closed = true
      waits.end()
      metering.end()
      return Effect.andThen(Scope.close(scope, Exit.void), PubSub.shutdown(events))
    }),
    closed: () => closed,
    observer,
    summaries: () => new Map([...keeper.membership.members].map(([id, { summaries: told }]) => [id, new Map(told)])),
    metTicks: (id) => keeper.membership.members.get(id)?.metMillis,
    namespaces: () => namespaces,
    fibers: allFibers
  }
})

const idleListener = {
  forget: () => undefined,
  repaired: () => undefined,
  highestOf: () => 0,
  givenUpOf: () => 0,
  settledOfAll: () => [],
  hasGap: () => false,
  meeting: () => false
}

/** Looks again every few milliseconds. */
const pollUntil = (condition: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => condition() ? Effect.void : Effect.andThen(Effect.sleep(5), pollUntil(condition)))
