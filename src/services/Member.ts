/**
 * A member of the cluster: everything that one opened McCache is, wired together. It needs a `Network` and a `Scope`; both
 * public doors, the Effect service and the standalone facade, are thin layers over it.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PubSub from "effect/PubSub"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Barriers from "../domain/Barriers.ts"
import type { Configuration } from "../domain/Configuration.ts"
import * as HybridClock from "../domain/HybridClock.ts"
import type { Key } from "../domain/Key.ts"
import * as McCacheError from "../domain/McCacheError.ts"
import * as MemberIds from "../domain/MemberId.ts"
import * as NamespaceOptions from "../domain/NamespaceOptions.ts"
import type { Request } from "../domain/Operation.ts"
import * as OperationCodec from "../domain/OperationCodec.ts"
import type { Places } from "../domain/Outbox.ts"
import * as Replica from "../domain/Replica.ts"
import type { MemberId } from "../domain/Stamp.ts"
import * as TimeInput from "../domain/TimeInput.ts"
import type { Actor, Loop } from "./Actor.ts"
import { CacheCore, closedError, requireKey } from "./CacheCore.ts"
import * as Counters from "./Counters.ts"
import { Entropy } from "./Entropy.ts"
import { HostProcess } from "./HostProcess.ts"
import * as Housekeeper from "./Housekeeper.ts"
import * as Listener from "./Listener.ts"
import * as MemberTime from "./MemberTime.ts"
import * as Multicaster from "./Multicaster.ts"
import type { ChangedSinceRead, Host as NamespaceHost, Namespace } from "./Namespace.ts"
import * as Namespaces from "./Namespace.ts"
import { Network } from "./Network.ts"
import * as Reports from "./Reports.ts"
import type { MemberMetrics } from "./Reports.ts"
import * as Sealing from "./Sealing.ts"
import * as ValueCodec from "./ValueCodec.ts"

export type { MemberMetrics, QueueMetrics } from "./Reports.ts"

/** This package's version, told to other members. */
export const version = "0.1.0"

/** What `cache(name, options)` takes. @category models */
export interface CacheOptions<V> extends NamespaceOptions.NamespaceOptions {
  /** The Schema of the values; without one, whatever the structured clone algorithm takes. */
  readonly value?: ValueCodec.ValueSchema<V> | undefined
  /** Called when another member changed a key that was looked up here not long ago. */
  readonly onChange?: ((change: ChangedSinceRead) => void) | undefined
}

/** A member as this one sees it. @category models */
export interface MemberInfo {
  readonly id: MemberId
  /** `host:pid`. */
  readonly label: string
  readonly host: string
  readonly pid: number
  readonly address: string
  readonly version: string
  readonly state: "self" | "joining" | "ready" | "suspect" | "lagging"
  /** Datagrams of ours that it has not settled yet. */
  readonly lag: number
  /** Its clock minus ours, milliseconds. */
  readonly clockSkewMillis: number
}

/** Answers of several members. @category models */
export interface Gathered<A> {
  readonly answers: ReadonlyArray<{ readonly member: MemberId; readonly label: string; readonly answer: A }>
  /** Labels of the members that did not answer in time. */
  readonly missing: ReadonlyArray<string>
}

/** What `flush` did. @category models */
export interface Flushed {
  /** Members that have applied everything. */
  readonly members: number
  /** Members that left meanwhile. */
  readonly left: ReadonlyArray<MemberId>
}

/** How many members to wait for: all or a majority of those live at the call, or a number of *other* members. */
export type Acknowledgement = "all" | "majority" | number

export interface WaitOptions {
  /** How long to wait. **A plain number is seconds.** */
  readonly timeout?: Duration.Input | undefined
}

export interface GatherOptions extends WaitOptions {
  /** Only this namespace. */
  readonly name?: string | undefined
  /** Only this member, by id or the beginning of it, or by label. */
  readonly node?: string | undefined
}

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
  readonly events: Stream.Stream<Housekeeper.ClusterEvent>
  readonly close: Effect.Effect<void>
  /** Ends at once, without a farewell, as a killed process does: a test hook. */
  readonly kill: Effect.Effect<void>
  readonly closed: () => boolean
  /** The open namespaces: for checkers and tools. */
  readonly namespaces: () => ReadonlyMap<string, Namespace>
  /** The supervised fibers by name: a test hook. */
  readonly fibers: () => ReadonlyMap<string, Pick<Actor<never>, "kill" | "restarts">>
}

const eventsCapacity = 1_024

/** Makes a member that lives as long as the scope, or until it is closed. */
export const make = Effect.fnUntraced(function*(
  configuration: Configuration
): Effect.fn.Return<Member, McCacheError.McCacheError, Network | Scope.Scope> {
  const network = yield* Network
  const clock = yield* Clock.Clock
  const randomness = yield* Random.Random
  const entropy = yield* Entropy
  const host = yield* HostProcess
  const context = yield* Effect.context<never>()
  const outer = yield* Effect.scope
  const scope = yield* Scope.make()
  const { protocol } = configuration
  const time = MemberTime.make(clock)
  const random = (): number => randomness.nextDoubleUnsafe()
  const self = MemberIds.read(entropy(16), 0)
  const keys = Redacted.value(configuration.cryptoKeys)
  const counters = Counters.make()
  const namespaces = new Map<string, Namespace>()
  const cores = new Map<string, Opened>()
  /** Fails those that wait for other members when this one is closed. */
  const ended = Deferred.makeUnsafe<never, McCacheError.McCacheError>()
  const end = (): void => void Deferred.doneUnsafe(ended, Effect.fail(closedError()))
  const hybrid = HybridClock.make({ clockAheadMillisMax: protocol.clockAheadMillisMax })
  const places: Places = { last: 0 }
  const events = yield* PubSub.sliding<Housekeeper.ClusterEvent>(eventsCapacity)
  const datagramBytesMax = Math.min(configuration.packetMtu ?? network.datagramBytesMax, network.datagramBytesMax)
  const broken = new Map<string, Array<number>>()
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
    return largest + OperationCodec.writeOverheadBytesMax
  }

  const label = { host: host.host, pid: host.pid, version }

  const clearAll = (clear: number, origin: "local" | "remote"): void => {
    if (clear <= floor) return
    floor = clear
    HybridClock.observe(hybrid, clear, time.now())
    for (const namespace of namespaces.values()) namespace.clearWith(clear)
    if (origin === "local") multicaster.clearAll(clear)
  }

  const multicaster: Multicaster.Multicaster = yield* Multicaster.start({
    self,
    time,
    protocol,
    counters,
    sealing,
    network,
    datagramBytesMax,
    places,
    namespaces,
    alone: () => housekeeper?.alone() ?? false,
    ready: () => housekeeper?.ready() ?? false,
    floor: () => floor,
    lagging: (member) => housekeeper?.lagging(member)
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
    replyBytesMax: 2 * recordBytesMax() + 16 * 1_048_576,
    pieceBytes: Math.max(256, datagramBytesMax - sealing.overheadBytes - 96),
    listener: () => listener ?? idleListener,
    floor: () => floor,
    clockLast: () => hybrid.last,
    clearAll: (clear) => clearAll(clear, "remote"),
    metrics: gatherable,
    checksum: (name, key) => JSON.stringify(localChecksum(name, key) ?? null),
    startAnew: () => {
      hybrid.last = 0
      floor = 0
      for (const namespace of namespaces.values()) {
        namespace.replica.floor = 0
        keeper.restart(namespace)
      }
    },
    publish: (event) => void PubSub.publishUnsafe(events, event)
  }).pipe(Scope.provide(scope))
  housekeeper = keeper

  const ears: Listener.Listener = yield* Listener.start({
    self,
    time,
    protocol,
    counters,
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
    clearAll: (clear) => clearAll(clear, "remote")
  }).pipe(
    Scope.provide(scope),
    Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
  )
  listener = ears

  // ------------------------------------------------------------------------------------------------ namespaces

  const namespaceHost = (callbackWindowMillis: number): NamespaceHost => ({
    self,
    time,
    clock: hybrid,
    counters,
    places,
    callbackWindowMillis,
    wakeMulticaster: multicaster.wake,
    overflowed: multicaster.skip,
    settled: ears.settled,
    broken: (namespace) => {
      // Three broken folds in a minute, and the namespace stays empty: something is wrong that starting anew won't mend.
      const now = time.ticks()
      const times = [...(broken.get(namespace.name) ?? []).filter((at) => now - at < 60_000), now]
      broken.set(namespace.name, times)
      if (times.length < 3) keeper.restart(namespace)
      else Replica.reset(namespace.replica)
    }
  })

  const open = <V>(name: string, options: CacheOptions<V>): CacheCore<V> => {
    if (closed) throw closedError()
    const nameBytes = typeof name === "string" ? new TextEncoder().encode(name).length : 0
    if (nameBytes < 1 || nameBytes > 128 || !name.isWellFormed()) {
      throw McCacheError.make(
        "InvalidConfig",
        `The name of a cache must be text of 1 to 128 UTF-8 bytes, not ${TimeInput.show(name)}.`
      )
    }
    const known = cores.get(name)
    if (known !== undefined) {
      requireSame(configuration, name, known, options)
      return known.core as unknown as CacheCore<V>
    }
    const settings = NamespaceOptions.resolve(configuration, options, name)
    const fingerprint = NamespaceOptions.fingerprint(settings)
    for (const member of keeper.membership.members.values()) {
      const summary = member.summaries.get(name)
      if (summary === undefined || summary.fingerprint === fingerprint) continue
      throw McCacheError.make(
        "OptionsConflict",
        `Cache ${
          JSON.stringify(name)
        } asks for ${fingerprint}, but member ${member.host}:${member.pid} has it open with ${summary.fingerprint}: use the same mode, collision and eviction at every member.`
      )
    }
    const codec = options.value === undefined ? ValueCodec.structured<V>() : ValueCodec.ofSchema(options.value)
    for (const warning of NamespaceOptions.warnings(options)) runLog(Effect.logWarning(warning))
    const namespace = Effect.runSyncWith(context)(
      Namespaces.open(namespaceHost(settings.callbackWindowMillis), {
        name,
        options: settings,
        ttlMillis: settings.ttlMillis,
        fingerprint,
        sizing: NamespaceOptions.sizing(settings),
        onChange: options.onChange,
        floor
      }).pipe(Scope.provide(scope))
    )
    namespaces.set(name, namespace)
    keeper.opened(namespace)
    const core = new CacheCore<V>(namespace, codec, { time, counters, closed: () => closed })
    cores.set(name, { core: core as unknown as CacheCore<never>, options: options as CacheOptions<never>, settings })
    return core
  }

  const runLog = (effect: Effect.Effect<void>): void => void Effect.runForkWith(context)(effect)

  // ------------------------------------------------------------------------------------------------ members

  const members = (): ReadonlyArray<MemberInfo> => {
    const own: MemberInfo = {
      id: self,
      label: `${label.host}:${label.pid}`,
      host: label.host,
      pid: label.pid,
      address: network.self(),
      version,
      state: "self",
      lag: 0,
      clockSkewMillis: 0
    }
    const lagging = new Set(multicaster.lagging())
    return [
      own,
      ...[...keeper.membership.members.values()].map((member): MemberInfo => ({
        id: member.id,
        label: `${member.host}:${member.pid}`,
        host: member.host,
        pid: member.pid,
        address: member.address,
        version: member.version,
        state: member.suspect ? "suspect" : lagging.has(member.id) ? "lagging" : member.ready ? "ready" : "joining",
        lag: multicaster.lagOf(member.id) ?? 0,
        clockSkewMillis: member.offsetMillis
      }))
    ]
  }

  const isNode = (member: { readonly id: MemberId; readonly label: string }, node: string): boolean =>
    member.id.startsWith(node) || member.label === node

  const select = (node: string | undefined): ReadonlyArray<MemberInfo> => {
    const all = members()
    if (node === undefined) return all
    const chosen = node === "" ? [] : all.filter((member) => isNode(member, node))
    if (chosen.length === 0) {
      throw McCacheError.make(
        "InvalidConfig",
        `There is no member ${JSON.stringify(node)}; there are ${all.map(({ label }) => label).join(", ")}.`
      )
    }
    return chosen
  }

  const ask = (member: MemberInfo, build: (request: number) => Request): Effect.Effect<string | undefined> =>
    Effect.callback<string | undefined>((resume) => {
      keeper.ask({ id: member.id, address: member.address }, build, (reply) => {
        const report = reply === undefined ? undefined : OperationCodec.replies.report.decode(reply)
        resume(Effect.succeed(report?.json))
      })
    })

  /** Asks the chosen members at once and parses what comes within the time. */
  const gather = <A>(
    options: GatherOptions,
    local: () => A,
    build: (request: number) => Request
  ): Effect.Effect<Gathered<A>, McCacheError.McCacheError> =>
    attempt(() => ({ chosen: select(options.node), timeout: millisOf(options.timeout, protocol.gatherTimeoutMillis) }))
      .pipe(
        Effect.flatMap(({ chosen, timeout }) =>
          Effect.forEach(chosen, (member) =>
            (member.state === "self"
              ? Effect.sync(() => ({ answer: local() }))
              : ask(member, build).pipe(
                Effect.map((json) => json === undefined ? undefined : { answer: (JSON.parse(json) ?? undefined) as A }),
                Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.succeed(undefined) }),
                Effect.catchCause(() => Effect.succeed(undefined))
              )).pipe(Effect.map((answered) => ({ member, answered }))), { concurrency: "unbounded" })
        ),
        Effect.map((all) => ({
          answers: all.flatMap(({ answered, member }) =>
            answered === undefined ? [] : [{ member: member.id, label: member.label, answer: answered.answer }]
          ),
          missing: all.flatMap(({ answered, member }) => answered === undefined ? [member.label] : [])
        }))
      )

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

  const attempt = <A>(evaluate: () => A): Effect.Effect<A, McCacheError.McCacheError> =>
    Effect.suspend(() => {
      if (closed) return Effect.fail(closedError())
      try {
        return Effect.succeed(evaluate())
      } catch (error) {
        return error instanceof McCacheError.McCacheError ? Effect.fail(error) : Effect.die(error)
      }
    })

  const millisOf = (timeout: Duration.Input | undefined, otherwise: number): number => {
    if (timeout === undefined) return otherwise
    const millis = TimeInput.read(timeout)
    if (millis === undefined || millis < 0) {
      throw McCacheError.make(
        "InvalidConfig",
        `timeout is ${TimeInput.show(timeout)}; accepted: seconds from 0, or a duration such as "2 seconds".`
      )
    }
    return Math.min(millis, TimeInput.millisMax)
  }

  const localMetrics = (name?: string): MemberMetrics => Reports.metrics(sources(), name)
  const localChecksum = (name?: string, key?: Key): string | undefined =>
    Reports.checksum(namespaces, time.now(), name, key)

  // ------------------------------------------------------------------------------------------------ waiting

  /** Waits for members to settle everything that is in the outbox or was sent before now. */
  const barrier = (
    needed: number | "all",
    timeoutMillis: number
  ): Effect.Effect<Flushed, McCacheError.McCacheError> =>
    Effect.suspend(() => {
      if (closed) return Effect.fail(closedError())
      const ids = [...keeper.membership.members.keys()]
      if (ids.length === 0 && (needed === "all" || needed <= 0)) return Effect.succeed({ members: 0, left: [] })
      let made: Barriers.Barrier | undefined
      const wait = Effect.callback<Flushed, McCacheError.McCacheError>((resume) => {
        const barrier = Barriers.add(multicaster.barriers, { place: places.last, members: ids, needed }, (passed) => {
          resume(
            passed
              ? Effect.succeed({ members: barrier.passed.size, left: [...barrier.left] })
              : Effect.fail(McCacheError.make(
                "AckTimeout",
                `Only ${barrier.passed.size} of the ${barrier.needed} members that were asked for are left in the cluster.`
              ))
          )
        })
        made = barrier
        multicaster.wake()
        return Effect.sync(() => Barriers.remove(multicaster.barriers, barrier))
      })
      return Effect.raceFirst(wait, Deferred.await(ended)).pipe(Effect.timeoutOrElse({
        duration: timeoutMillis,
        orElse: () => {
          const late = [...made?.awaited ?? []].map((id) => {
            const member = keeper.membership.members.get(id)
            return member === undefined ? MemberIds.short(id) : `${member.host}:${member.pid}`
          })
          return Effect.fail(McCacheError.make(
            "AckTimeout",
            `After ${timeoutMillis} ms ${late.length} members have not applied everything: ${
              late.join(", ")
            }. The writes are made and will reach them; allow more time, or look at their lag in members.`
          ))
        }
      }))
    })

  const neededFor = (ack: Acknowledgement): number | "all" => {
    const others = keeper.membership.members.size
    if (ack === "all") return "all"
    // Of all members at the call, this one included.
    if (ack === "majority") return Math.floor((others + 1) / 2) + 1 - 1
    if (!Number.isInteger(ack) || ack < 0) {
      throw McCacheError.make(
        "InvalidConfig",
        `ack is ${TimeInput.show(ack)}; accepted: "all", "majority", or a whole number of other members.`
      )
    }
    if (ack > others) {
      throw McCacheError.make(
        "AckTimeout",
        `ack asks for ${ack} other members, but only ${others} are known: ask for fewer, or start more.`
      )
    }
    return ack
  }

  const untilReady = Effect.suspend(() =>
    closed ? Effect.fail(closedError()) : Effect.raceFirst(
      Effect.callback<void>((resume) => {
        const stop = keeper.when(() => !closed && keeper.joined() && keeper.caughtUp(), () => resume(Effect.void))
        return Effect.sync(stop)
      }),
      Deferred.await(ended)
    )
  )

  // ------------------------------------------------------------------------------------------------ closing

  const allFibers = (): ReadonlyMap<string, Pick<Actor<never>, "kill" | "restarts">> => {
    const fibers = new Map<string, Loop>()
    for (const fiber of [multicaster.actor, ears.actor, ears.pump, keeper.actor]) fibers.set(fiber.name, fiber)
    for (const namespace of namespaces.values()) fibers.set(namespace.inbox.name, namespace.inbox)
    return fibers
  }

  const close = Effect.suspend(() => {
    if (closed) return Effect.void
    closed = true
    return Effect.gen(function*() {
      if (protocol.closeTimeoutMillis > 0) {
        yield* Effect.raceFirst(Effect.sleep(protocol.closeTimeoutMillis), pollUntil(() => multicaster.drained()))
      }
      multicaster.send(undefined, { _tag: "LEAVE" })
      // The farewell leaves on the Multicaster's next turn.
      yield* Effect.yieldNow
      yield* Effect.sleep(1)
    }).pipe(
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("McCache: close", cause)
      ),
      Effect.ensuring(Scope.close(scope, Exit.void)),
      Effect.ensuring(PubSub.shutdown(events)),
      Effect.ensuring(Effect.sync(end))
    )
  })

  yield* Scope.addFinalizer(outer, close)

  return {
    id: self,
    configuration,
    cache: <V>(name = "default", options: CacheOptions<V> = {}) => open(name, options),
    clear: (options = {}) =>
      attempt(() => {
        if (options.name !== undefined && options.node === undefined) {
          const namespace = namespaces.get(options.name)
          if (namespace === undefined) open(options.name, {}).clear()
          else namespace.clear()
          return [] as ReadonlyArray<MemberInfo>
        }
        if (options.node === undefined) {
          clearAll(HybridClock.next(hybrid, time.now(), floor), "local")
          return [] as ReadonlyArray<MemberInfo>
        }
        return select(options.node)
      }).pipe(
        Effect.flatMap((chosen) =>
          Effect.forEach(chosen, (member) =>
            member.state === "self"
              ? Effect.sync(() => {
                for (const namespace of namespaces.values()) {
                  if (options.name === undefined || options.name === namespace.name) keeper.restart(namespace)
                }
              })
              : ask(member, (request) => ({ _tag: "RESET", request, namespace: options.name })).pipe(
                Effect.timeoutOrElse({
                  duration: protocol.gatherTimeoutMillis,
                  orElse: () => Effect.succeed(undefined)
                }),
                Effect.flatMap((json) =>
                  json === undefined
                    ? Effect.fail(
                      McCacheError.make("AckTimeout", `Member ${member.label} did not answer the clear: try again.`)
                    )
                    : Effect.void
                )
              ), { concurrency: "unbounded", discard: true })
        )
      ),
    members: () => {
      if (closed) throw closedError()
      return members()
    },
    localMetrics,
    localChecksum: (name, key) => {
      if (closed) throw closedError()
      if (key !== undefined) requireKey(key)
      return localChecksum(name, key)
    },
    clusterMetrics: (options = {}) =>
      gather(options, () => localMetrics(options.name), (request) => ({
        _tag: "METRICS",
        request,
        namespace: options.name
      })),
    clusterChecksum: (options = {}) =>
      Effect.andThen(
        attempt(() => {
          if (options.key !== undefined) requireKey(options.key)
        }),
        gather<string | undefined>(options, () => localChecksum(options.name, options.key), (request) => ({
          _tag: "CHECKSUM",
          request,
          namespace: options.name,
          key: options.key
        }))
      ),
    flush: (options = {}) =>
      attempt(() => millisOf(options.timeout, protocol.ackTimeoutMillis)).pipe(
        Effect.flatMap((timeout) =>
          untilReady.pipe(
            Effect.timeoutOrElse({
              duration: timeout,
              orElse: () =>
                Effect.fail(
                  McCacheError.make("AckTimeout", `This member is not ready after ${timeout} ms: wait for ready first.`)
                )
            }),
            Effect.andThen(barrier("all", timeout))
          )
        ),
        Effect.withSpan("McCache.flush")
      ),
    checkAcknowledgement: (ack, options = {}) => {
      neededFor(ack)
      millisOf(options.timeout, protocol.ackTimeoutMillis)
    },
    acknowledged: (ack, options = {}) =>
      attempt(() => ({ needed: neededFor(ack), timeout: millisOf(options.timeout, protocol.ackTimeoutMillis) })).pipe(
        Effect.flatMap(({ needed, timeout }) => barrier(needed, timeout)),
        Effect.asVoid,
        Effect.withSpan("McCache.acknowledged")
      ),
    ready: untilReady.pipe(Effect.withSpan("McCache.ready")),
    events: Stream.fromPubSub(events),
    close,
    kill: Effect.suspend(() => {
      closed = true
      end()
      return Effect.andThen(Scope.close(scope, Exit.void), PubSub.shutdown(events))
    }),
    closed: () => closed,
    namespaces: () => namespaces,
    fibers: allFibers
  }
})

const idleListener = {
  forget: () => undefined,
  repaired: () => undefined,
  highestOf: () => 0,
  hasGap: () => false,
  meeting: () => false
}

/** Looks again every few milliseconds. */
const pollUntil = (condition: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => condition() ? Effect.void : Effect.andThen(Effect.sleep(5), pollUntil(condition)))

/** An open namespace, with what it was asked for and what that came to. */
interface Opened {
  readonly core: CacheCore<never>
  readonly options: CacheOptions<never>
  readonly settings: NamespaceOptions.NamespaceSettings
}

/** Asking again for an open namespace must ask for the same; what is not asked for may be anything. */
const requireSame = <V>(configuration: Configuration, name: string, known: Opened, asked: CacheOptions<V>): void => {
  const { onChange, value } = asked
  const option = value !== undefined && !Object.is(value, known.options.value)
    ? "value"
    : onChange !== undefined && onChange !== known.options.onChange
    ? "onChange"
    : NamespaceOptions.differing(configuration, known.settings, asked, name)
  if (option === undefined) return
  throw McCacheError.make(
    "OptionsConflict",
    `Cache ${JSON.stringify(name)} is open with another ${option}: open it once with its options, and then by name.`
  )
}
